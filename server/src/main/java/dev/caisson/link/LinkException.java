package dev.caisson.link;

import java.io.IOException;

/// The link, or one stream of it, is over: closed by us, broken, reset by the other side, or cut off because the other side broke the rules.
public final class LinkException extends IOException {
    public LinkException(String message) {
        super(message);
    }

    public LinkException(String message, Throwable cause) {
        super(message, cause);
    }
}
