package dev.caisson.sandbox;

import org.jspecify.annotations.Nullable;

/// The one exception that crosses rooms; it carries a [Failure].
public final class SandboxException extends RuntimeException {
    private final Failure failure;

    public SandboxException(Failure failure, @Nullable Throwable cause) {
        super(failure.message(), cause);
        this.failure = failure;
    }

    public Failure failure() {
        return failure;
    }

    public Failure.Code code() {
        return failure.code();
    }
}
