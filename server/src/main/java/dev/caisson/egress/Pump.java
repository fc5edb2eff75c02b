package dev.caisson.egress;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Optional;

/// Moves bytes from one connection to another until the first has no more, then says so to the other.
///
/// A quiet connection holds 1 KiB a direction; what fills that is moved on with whatever else has come in a large buffer that is lent for so long, and not while
/// there is nothing to read. So thousands of quiet ones cost little and a busy one runs at full speed.
/// Threads: one.
final class Pump {
    private static final int SMALL = 1024;

    private final SocketChannel from;
    private final SocketChannel to;
    private final PumpBuffers buffers;
    private final Meter meter;

    /// Is told of bytes before they go on.
    @FunctionalInterface
    interface Meter {
        /// @throws IOException when no more may pass
        void passed(int bytes) throws IOException;
    }

    Pump(SocketChannel from, SocketChannel to, PumpBuffers buffers, Meter meter) {
        this.from = from;
        this.to = to;
        this.buffers = buffers;
        this.meter = meter;
    }

    void run() throws IOException {
        var small = ByteBuffer.allocate(SMALL);
        while (from.read(small) >= 0) {
            small.flip();
            if (small.remaining() < SMALL) {
                pass(small);
            } else {
                surge(small);
            }
            small.clear();
        }
        to.shutdownOutput();
    }

    /// Moves on these bytes and all that have come behind them.
    private void surge(ByteBuffer first) throws IOException {
        Optional<ByteBuffer> lent = buffers.take();
        if (lent.isEmpty()) {
            pass(first);
            return;
        }
        ByteBuffer large = lent.get();
        try {
            InputStream in = from.socket().getInputStream();
            large.put(first);
            while (in.available() > 0 || large.position() > 0) {
                if (in.available() > 0) {
                    from.read(large);
                }
                large.flip();
                pass(large);
                large.clear();
            }
        } finally {
            buffers.giveBack(large);
        }
    }

    private void pass(ByteBuffer bytes) throws IOException {
        meter.passed(bytes.remaining());
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
    }
}
