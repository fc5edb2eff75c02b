package dev.caisson.cli;

import java.io.Serial;

/// Ends the command with one line that says what failed and what to do, and status 125.
final class CliException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String remedy;

    CliException(String message, String remedy) {
        super(message);
        this.remedy = remedy;
    }

    CliException(String message, String remedy, Throwable cause) {
        super(message, cause);
        this.remedy = remedy;
    }

    String remedy() {
        return remedy;
    }
}
