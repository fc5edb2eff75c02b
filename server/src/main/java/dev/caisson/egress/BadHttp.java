package dev.caisson.egress;

import java.io.IOException;

/// A message that is not strictly HTTP/1.1, is out of bounds, or asks for what is not done here.
final class BadHttp extends IOException {
    private final int status;

    /// @param status what a client is answered
    BadHttp(int status, String message) {
        super(message);
        this.status = status;
    }

    int status() {
        return status;
    }
}
