package dev.caisson.sandbox;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Why something could not be done, and what to do about it.
///
/// @param message one line that names the thing
/// @param remedy one line that says the way out
public record Failure(Code code, String message, String remedy) {

    /// Every failure a caller can see. The label is stable: clients match on it.
    public enum Code {
        BAD_REQUEST(Category.CALLER),
        OUT_OF_RANGE(Category.CALLER),
        UNAUTHORIZED(Category.UNAUTHENTICATED),
        TIER_TOO_WEAK(Category.DENIED),
        NOT_PERMITTED(Category.DENIED),
        TEMPLATE_NOT_FOUND(Category.NOT_FOUND),
        SANDBOX_NOT_FOUND(Category.NOT_FOUND),
        COMMAND_NOT_FOUND(Category.NOT_FOUND),
        RECEIPT_NOT_FOUND(Category.NOT_FOUND),
        KEY_NOT_FOUND(Category.NOT_FOUND),
        FILE_NOT_FOUND(Category.NOT_FOUND),
        FILE_EXISTS(Category.CONFLICT),
        NOT_A_DIRECTORY(Category.CONFLICT),
        IS_A_DIRECTORY(Category.CONFLICT),
        FILE_DENIED(Category.DENIED),
        FILE_FAILED(Category.CONFLICT),
        DISK_FULL(Category.CAPACITY),
        PROGRAM_NOT_FOUND(Category.CALLER),
        USER_NOT_FOUND(Category.CALLER),
        OUTPUT_LOST(Category.CONFLICT),
        WRONG_STATE(Category.CONFLICT),
        IDEMPOTENCY_MISMATCH(Category.CONFLICT),
        PORT_CLOSED(Category.GUEST),
        UNSUPPORTED(Category.UNSUPPORTED),
        TOO_MANY(Category.CAPACITY),
        TIER_UNAVAILABLE(Category.UNAVAILABLE),
        HOST_DISK_FULL(Category.CAPACITY),
        HOST_UNFIT(Category.UNAVAILABLE),
        IMAGE_CORRUPT(Category.UNAVAILABLE),
        STORE_TOO_NEW(Category.UNAVAILABLE),
        NODE_UNREACHABLE(Category.UNAVAILABLE),
        EGRESS_UNAVAILABLE(Category.UNAVAILABLE),
        RUNTIME_FAILED(Category.BUG),
        GUEST_FAILED(Category.GUEST),
        INTERNAL(Category.BUG);

        private final Category category;

        Code(Category category) {
            this.category = category;
        }

        public Category category() {
            return category;
        }

        public String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        public static Code parse(String label) {
            for (Code code : values()) {
                if (code.label().equals(label)) {
                    return code;
                }
            }
            return INTERNAL;
        }

        /// A throwable failure of this code.
        public SandboxException with(String message, String remedy) {
            return new SandboxException(new Failure(this, message, remedy), null);
        }

        public SandboxException with(String message, String remedy, @Nullable Throwable cause) {
            return new SandboxException(new Failure(this, message, remedy), cause);
        }
    }

    /// Whose matter a failure is; doors map it to a status in one table.
    public enum Category {
        CALLER,
        UNAUTHENTICATED,
        DENIED,
        NOT_FOUND,
        CONFLICT,
        CAPACITY,
        GUEST,
        UNSUPPORTED,
        UNAVAILABLE,
        BUG
    }

    /// A stranger's text made fit for one line of ours: control and format characters as `?`, at most 80 characters.
    public static String shown(String text) {
        return shown(text, 80);
    }

    /// The same with another length.
    public static String shown(String text, int most) {
        var safe = new StringBuilder();
        text.codePoints().limit(most + 1L).forEach(c -> safe.appendCodePoint(Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? '?' : c));
        return safe.codePointCount(0, safe.length()) > most ? safe.substring(0, safe.offsetByCodePoints(0, most)) + "…" : safe.toString();
    }
}
