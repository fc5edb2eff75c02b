package dev.caisson.egress;

import java.io.EOFException;
import java.io.IOException;

/// The content of one message, read to its end and not beyond.
///
/// Threads: one at a time.
interface BodySource {
    /// Up to `length` bytes, at least one; -1 at the end, which comes before the next message.
    int read(byte[] into, int offset, int length) throws IOException;

    /// True when more of it, or its end, can be read without waiting.
    boolean hasMore() throws IOException;

    /// Of `left` bytes that have been announced, as many as there are now and fit.
    private static int announced(HttpInput in, byte[] into, int offset, int length, long left) throws IOException {
        int count = in.read(into, offset, (int) Math.min(length, left));
        if (count < 0) {
            throw new EOFException("the content broke off");
        }
        return count;
    }

    static BodySource of(Framing framing, HttpInput in) {
        return switch (framing) {
            case Framing.None _ -> new FixedSource(in, 0);
            case Framing.Fixed fixed -> new FixedSource(in, fixed.length());
            case Framing.Chunked _ -> new ChunkedSource(in);
            case Framing.UntilClose _ -> new EndlessSource(in);
        };
    }

    /// Whatever comes until the connection ends.
    record EndlessSource(HttpInput in) implements BodySource {
        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            return in.read(into, offset, length);
        }

        @Override
        public boolean hasMore() throws IOException {
            return in.hasMore();
        }
    }

    final class FixedSource implements BodySource {
        private final HttpInput in;
        private long left;

        FixedSource(HttpInput in, long length) {
            this.in = in;
            left = length;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int count = announced(in, into, offset, length, left);
            left -= count;
            return count;
        }

        @Override
        public boolean hasMore() throws IOException {
            return left == 0 || in.hasMore();
        }
    }

    final class ChunkedSource implements BodySource {
        /// Room for a size and for what some servers put behind it.
        private static final int MAX_LINE = 256;
        /// The end of one chunk and the longest size of the next.
        private static final int BETWEEN = 19;
        private final HttpInput in;
        private long left;
        private boolean within;
        private boolean ended;

        ChunkedSource(HttpInput in) {
            this.in = in;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (left == 0 && !ended) {
                next();
            }
            if (ended) {
                return -1;
            }
            int count = announced(in, into, offset, length, left);
            left -= count;
            return count;
        }

        @Override
        public boolean hasMore() throws IOException {
            // Behind a chunk there may be just its end: nothing to wait for with what came before.
            return left > 0 ? in.hasMore() : in.buffered() > BETWEEN;
        }

        private void next() throws IOException {
            if (within && (in.read() != '\r' || in.read() != '\n')) {
                throw new BadHttp(400, "a chunk that is longer than it says");
            }
            within = true;
            String line = in.line(MAX_LINE, 400);
            // No extensions: nobody knows any, and parsers have disagreed about where they end.
            if (!line.matches("[0-9A-Fa-f]{1,15}")) {
                throw new BadHttp(400, "a chunk's size that is not a hexadecimal number");
            }
            left = Long.parseLong(line, 16);
            if (left == 0) {
                HeadReader.trailers(in);
                ended = true;
            }
        }
    }
}
