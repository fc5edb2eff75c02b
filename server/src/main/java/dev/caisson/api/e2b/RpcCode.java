package dev.caisson.api.e2b;

import dev.caisson.sandbox.Failure;
import java.util.Locale;

/// What can go wrong in a call of the Connect protocol, with the HTTP status that a unary call's answer has.
enum RpcCode {
    CANCELED(499),
    INVALID_ARGUMENT(400),
    DEADLINE_EXCEEDED(504),
    NOT_FOUND(404),
    ALREADY_EXISTS(409),
    PERMISSION_DENIED(403),
    RESOURCE_EXHAUSTED(429),
    FAILED_PRECONDITION(400),
    UNIMPLEMENTED(501),
    INTERNAL(500),
    UNAVAILABLE(503),
    UNAUTHENTICATED(401);

    private final int status;

    RpcCode(int status) {
        this.status = status;
    }

    int status() {
        return status;
    }

    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /// The one table of failures.
    static RpcCode of(Failure.Code code) {
        return switch (code) {
            case USER_NOT_FOUND -> UNAUTHENTICATED;
            case NOT_A_DIRECTORY, IS_A_DIRECTORY -> INVALID_ARGUMENT;
            case FILE_EXISTS -> ALREADY_EXISTS;
            case SANDBOX_NOT_FOUND -> UNAVAILABLE;
            case WRONG_STATE -> FAILED_PRECONDITION;
            default -> switch (code.category()) {
                case CALLER -> INVALID_ARGUMENT;
                case UNAUTHENTICATED -> UNAUTHENTICATED;
                case DENIED -> PERMISSION_DENIED;
                case NOT_FOUND -> NOT_FOUND;
                case CONFLICT, BUG -> INTERNAL;
                case CAPACITY -> RESOURCE_EXHAUSTED;
                case UNSUPPORTED -> UNIMPLEMENTED;
                case GUEST, UNAVAILABLE -> UNAVAILABLE;
            };
        };
    }
}
