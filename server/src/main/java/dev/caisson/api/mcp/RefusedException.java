package dev.caisson.api.mcp;

/// A message that is not taken: told by an HTTP status and a JSON-RPC error.
final class RefusedException extends RuntimeException {
    private final int status;
    private final int code;

    RefusedException(int status, int code, String message) {
        super(message);
        this.status = status;
        this.code = code;
    }

    int status() {
        return status;
    }

    int code() {
        return code;
    }
}
