package dev.caisson.json;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;

/// How one of our processes tells another that a call failed: `{"failure": …}` where the answer would be.
public final class FailureMessage {
    private static final String KEY = "failure";

    private FailureMessage() {}

    public static byte[] of(Failure failure) {
        return Json.object(out -> {
            out.writeName(KEY);
            Forms.FAILURE.write(failure, out);
        });
    }

    /// Throws the failure as it was told, where the answer is one.
    public static void throwIn(JsonObject answer) {
        answer.objectOr(KEY, Forms.FAILURE).ifPresent(failure -> {
            throw new SandboxException(failure, null);
        });
    }
}
