package dev.caisson.api.e2b;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/// A request's body that remembers how it broke, so that whoever reads it is not blamed for it.
final class BlamedInput extends FilterInputStream {
    private @Nullable IOException broken;
    private @Nullable RuntimeException refused;

    BlamedInput(InputStream body) {
        super(body);
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
        try {
            return super.read(into, offset, length);
        } catch (IOException e) {
            broken = e;
            throw e;
        } catch (RuntimeException e) {
            refused = e;
            throw e;
        }
    }

    void rethrowOwnFailure() throws IOException {
        if (refused != null) {
            throw refused;
        }
        if (broken != null) {
            throw broken;
        }
    }
}
