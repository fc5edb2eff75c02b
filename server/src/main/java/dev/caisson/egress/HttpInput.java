package dev.caisson.egress;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntConsumer;

/// Reads messages from a connection: lines, bytes, and what follows them.
///
/// Threads: one at a time.
final class HttpInput {
    /// As much as one record of TLS holds.
    private static final int BUFFER = 16 * 1024;
    private static final byte[] NONE = new byte[0];

    private final InputStream in;
    private final IntConsumer moved;
    private byte[] buffer = NONE;
    private int from;
    private int to;

    /// @param moved told how many bytes came, each time some do
    HttpInput(InputStream in, IntConsumer moved) {
        this.in = in;
        this.moved = moved;
    }

    /// Waits for the next byte without holding a buffer; false at the end.
    boolean await() throws IOException {
        if (from < to) {
            return true;
        }
        buffer = NONE;
        int first = in.read();
        if (first < 0) {
            return false;
        }
        moved.accept(1);
        buffer = new byte[BUFFER];
        buffer[0] = (byte) first;
        from = 0;
        to = 1;
        return true;
    }

    /// True when there is something to read at once.
    boolean hasMore() throws IOException {
        return from < to || in.available() > 0;
    }

    int buffered() {
        return to - from;
    }

    int read() throws IOException {
        if (from == to && !fill()) {
            throw new EOFException("it broke off");
        }
        return buffer[from++] & 0xff;
    }

    /// Up to `length` bytes, at least one; -1 at the end.
    int read(byte[] into, int offset, int length) throws IOException {
        if (from == to) {
            if (length >= BUFFER / 2) {
                int count = in.read(into, offset, length);
                if (count > 0) {
                    moved.accept(count);
                }
                return count;
            }
            if (!fill()) {
                return -1;
            }
        }
        int count = Math.min(length, to - from);
        System.arraycopy(buffer, from, into, offset, count);
        from += count;
        return count;
    }

    private boolean fill() throws IOException {
        if (buffer.length == 0) {
            buffer = new byte[BUFFER];
        }
        int count = in.read(buffer);
        from = 0;
        to = Math.max(count, 0);
        if (count > 0) {
            moved.accept(count);
        }
        return count > 0;
    }

    /// The next line, without its CR LF; each byte one character.
    ///
    /// Errors: [BadHttp] with status 400 for a line that ends otherwise or holds a NUL, with `tooLong` for one of more than `limit` bytes.
    String line(int limit, int tooLong) throws IOException {
        byte[] line = new byte[Math.min(limit, 128)];
        int used = 0;
        while (true) {
            int next = read();
            if (next == '\r') {
                if (read() != '\n') {
                    throw new BadHttp(400, "a CR without LF");
                }
                return new String(line, 0, used, StandardCharsets.ISO_8859_1);
            }
            if (next == '\n' || next == 0) {
                throw new BadHttp(400, next == 0 ? "a NUL in a head" : "an LF without CR");
            }
            if (used == limit) {
                throw new BadHttp(tooLong, "a line or head of more than " + limit + " bytes");
            }
            if (used == line.length) {
                line = Arrays.copyOf(line, Math.min(limit, 2 * used));
            }
            line[used++] = (byte) next;
        }
    }
}
