package dev.caisson.api.e2b;

import dev.caisson.sandbox.Files;
import java.io.IOException;
import java.io.InputStream;
import java.util.Iterator;
import java.util.List;

/// Files of a sandbox one after the other, each opened when the one before has ended.
final class Concatenation extends InputStream {
    private final Files files;
    private final Iterator<String> rest;
    private final String user;
    private InputStream current = InputStream.nullInputStream();

    Concatenation(Files files, List<String> paths, String user) {
        this.files = files;
        this.rest = paths.iterator();
        this.user = user;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        while (true) {
            int count = current.read(into, offset, length);
            if (count >= 0) {
                return count;
            }
            current.close();
            if (!rest.hasNext()) {
                current = InputStream.nullInputStream();
                return -1;
            }
            current = files.read(rest.next(), user, 0, Long.MAX_VALUE);
        }
    }

    @Override
    public void close() throws IOException {
        current.close();
    }
}
