package dev.caisson.egress;

import java.io.IOException;

/// The content of one message, written in its framing.
///
/// Threads: one at a time.
final class BodySink implements ByteSink {
    /// With its size and its end, a chunk fills a record of TLS.
    private static final int CHUNK = 16 * 1024 - 8;
    private static final byte[] NONE = new byte[0];

    private final Framing framing;
    private final HttpOutput out;
    private byte[] chunk = NONE;
    private int used;
    private long written;

    BodySink(Framing framing, HttpOutput out) {
        this.framing = framing;
        this.out = out;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        written += length;
        if (framing instanceof Framing.Fixed fixed && written > fixed.length() || framing instanceof Framing.None && length > 0) {
            throw new IOException("more content than was announced");
        }
        if (!(framing instanceof Framing.Chunked)) {
            out.write(bytes, offset, length);
            return;
        }
        if (chunk.length == 0) {
            chunk = new byte[CHUNK];
        }
        for (int done = 0; done < length;) {
            int count = Math.min(length - done, CHUNK - used);
            System.arraycopy(bytes, offset + done, chunk, used, count);
            used += count;
            done += count;
            if (used == CHUNK) {
                chunk();
            }
        }
    }

    private void chunk() throws IOException {
        if (used > 0) {
            out.write(Integer.toHexString(used) + "\r\n");
            out.write(chunk, 0, used);
            out.write("\r\n");
            used = 0;
        }
    }

    /// What was written is on its way when this returns.
    void flush() throws IOException {
        chunk();
        out.flush();
    }

    /// Nothing follows.
    void end() throws IOException {
        if (framing instanceof Framing.Fixed fixed && written != fixed.length()) {
            throw new IOException("less content than was announced");
        }
        if (framing instanceof Framing.Chunked) {
            chunk();
            out.write("0\r\n\r\n");
        }
        out.flush();
    }
}
