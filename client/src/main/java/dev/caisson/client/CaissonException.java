package dev.caisson.client;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// Why something could not be done, and the way out.
///
/// Codes of the SDK's own, all with status 0: `not-running` (there is no installation to talk to), `unreachable` (the connection failed),
/// `bad-answer` (what came back is not ours), `interrupted` (the calling thread was; its flag stays set), `input-lost` (the connection broke while input was on its way).
public final class CaissonException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String code;
    private final int status;
    private final String remedy;

    /// @param code stable; match on it
    /// @param status of the HTTP answer; 0 when there was none
    /// @param remedy one line that says the way out
    public CaissonException(String code, int status, String message, String remedy, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
        this.status = status;
        this.remedy = remedy;
    }

    public String code() {
        return code;
    }

    public int status() {
        return status;
    }

    public String remedy() {
        return remedy;
    }

    /// The message, with `getMessage` never null.
    public String message() {
        return String.valueOf(getMessage());
    }

    static CaissonException badAnswer(String what, @Nullable Throwable cause) {
        return new CaissonException("bad-answer", 0, "the answer is not Caisson's: " + what, "check that CAISSON_URL names a Caisson of this version", cause);
    }

    static CaissonException interrupted(Throwable cause) {
        Thread.currentThread().interrupt();
        return new CaissonException("interrupted", 0, "the calling thread was interrupted", "try again", cause);
    }
}
