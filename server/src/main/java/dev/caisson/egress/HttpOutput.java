package dev.caisson.egress;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.IntConsumer;

/// Writes messages to a connection, in pieces that fill a record of TLS.
///
/// Threads: one at a time.
final class HttpOutput implements ByteSink {
    private static final int BUFFER = 16 * 1024;
    private static final byte[] NONE = new byte[0];

    private final OutputStream out;
    private final IntConsumer moved;
    private byte[] buffer = NONE;
    private int used;

    /// @param moved told how many bytes went, each time some have
    HttpOutput(OutputStream out, IntConsumer moved) {
        this.out = out;
        this.moved = moved;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        if (used == 0 && length >= BUFFER) {
            out.write(bytes, offset, length);
            moved.accept(length);
            return;
        }
        if (buffer.length == 0) {
            buffer = new byte[BUFFER];
        }
        int done = 0;
        while (done < length) {
            int count = Math.min(length - done, BUFFER - used);
            System.arraycopy(bytes, offset + done, buffer, used, count);
            used += count;
            done += count;
            if (used == BUFFER) {
                flush();
            }
        }
    }

    /// Each character one byte.
    void write(String text) throws IOException {
        write(text.getBytes(StandardCharsets.ISO_8859_1), 0, text.length());
    }

    void flush() throws IOException {
        if (used > 0) {
            out.write(buffer, 0, used);
            moved.accept(used);
            used = 0;
        }
    }

    /// Holds no buffer until more is written.
    void release() throws IOException {
        flush();
        buffer = NONE;
    }
}
