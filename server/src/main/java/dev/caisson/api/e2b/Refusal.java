package dev.caisson.api.e2b;

import dev.caisson.json.Json;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.util.Optional;

/// A request refused over plain HTTP, in E2B's form: a status, and a body `{code, message}` whose code is the status again, because clients read either.
final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final int status;
    private final String errorCode;
    private final long wholeSize;

    Refusal(int status, String message) {
        this(status, message, "");
    }

    /// @param errorCode a word that some clients match on; may be empty
    Refusal(int status, String message, String errorCode) {
        this(status, message, errorCode, -1);
    }

    private Refusal(int status, String message, String errorCode, long wholeSize) {
        super(message);
        this.status = status;
        this.errorCode = errorCode;
        this.wholeSize = wholeSize;
    }

    /// Of a range that lies beyond what has `size` bytes.
    static Refusal beyond(long size) {
        return new Refusal(416, "the file has " + size + " bytes, and nothing of the range asked for", "", size);
    }

    static Refusal unsupported(String what) {
        return new Refusal(501, what + " is not supported by this server");
    }

    static Refusal of(SandboxException e) {
        Failure failure = e.failure();
        String message = failure.message() + ": " + failure.remedy();
        String word = failure.code() == Failure.Code.IDEMPOTENCY_MISMATCH ? "idempotency_request_mismatch" : "";
        return new Refusal(status(failure.code()), message, word);
    }

    /// The one table of statuses.
    private static int status(Failure.Code code) {
        return switch (code) {
            case TOO_MANY -> 429;
            case IDEMPOTENCY_MISMATCH -> 422;
            case IS_A_DIRECTORY, NOT_A_DIRECTORY -> 400;
            case USER_NOT_FOUND -> 401;
            case DISK_FULL -> 507;
            default -> switch (code.category()) {
                case CALLER -> 400;
                case UNAUTHENTICATED -> 401;
                case DENIED -> 403;
                case NOT_FOUND -> 404;
                case CONFLICT -> 409;
                case CAPACITY, UNAVAILABLE -> 503;
                case UNSUPPORTED -> 501;
                case GUEST, BUG -> 500;
            };
        };
    }

    int status() {
        return status;
    }

    /// What `Content-Range` says with a 416: the size that a range could be of. Empty for other refusals.
    Optional<String> contentRange() {
        return wholeSize < 0 ? Optional.empty() : Optional.of("bytes */" + wholeSize);
    }

    String text() {
        return String.valueOf(getMessage());
    }

    /// Whether the same request may succeed in a moment. Clients repeat it by themselves then.
    boolean isWorthARetry() {
        return status == 429 || status == 503;
    }

    byte[] bytes() {
        return Json.object(out -> {
            out.writeNumberProperty("code", status);
            out.writeStringProperty("message", text());
            if (!errorCode.isEmpty()) {
                out.writeStringProperty("error_code", errorCode);
            }
        });
    }
}
