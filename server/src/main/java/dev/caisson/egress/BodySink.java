package dev.caisson.egress;

import java.io.IOException;

/// The content of one message, written in its framing.
///
/// Threads: one at a time.
final class BodySink implements ByteSink {
    private final Framing framing;
    private final HttpOutput out;
    private long written;

    BodySink(Framing framing, HttpOutput out) {
        this.framing = framing;
        this.out = out;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        if (length == 0) {
            return;
        }
        written += length;
        if (framing instanceof Framing.Fixed fixed && written > fixed.length() || framing instanceof Framing.None) {
            throw new IOException("more content than was announced");
        }
        if (framing instanceof Framing.Chunked) {
            out.write(Integer.toHexString(length) + "\r\n");
            out.write(bytes, offset, length);
            out.write("\r\n");
        } else {
            out.write(bytes, offset, length);
        }
    }

    /// Nothing follows.
    void end() throws IOException {
        if (framing instanceof Framing.Fixed fixed && written != fixed.length()) {
            throw new IOException("less content than was announced");
        }
        if (framing instanceof Framing.Chunked) {
            out.write("0\r\n\r\n");
        }
        out.flush();
    }
}
