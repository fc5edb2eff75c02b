package dev.caisson.api.rest;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// A request's body that remembers how it broke, so that whoever reads it cannot be blamed.
final class WatchedInput extends FilterInputStream {
    private @Nullable IOException broken;

    WatchedInput(InputStream body) {
        super(body);
    }

    @Override
    public int read() throws IOException {
        try {
            return super.read();
        } catch (IOException e) {
            broken = e;
            throw e;
        }
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
        try {
            return super.read(into, offset, length);
        } catch (IOException e) {
            broken = e;
            throw e;
        }
    }

    /// Throws the client's own fault, if there was one, in place of what came of it.
    void rethrowOwnFailure(Throwable consequence) {
        if (broken != null) {
            var problem = new ProblemException(broken.getCause() instanceof TimeoutException
                    ? Problem.http(408, "request-timeout", "the body stopped coming", "send it again, without a pause")
                    : Problem.http(400, "bad-request", "the body broke off", "send it again"));
            problem.addSuppressed(consequence);
            throw problem;
        }
    }
}
