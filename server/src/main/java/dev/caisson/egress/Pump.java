package dev.caisson.egress;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Optional;

/// Moves bytes from one connection to another until the first has no more, then says so to the other.
///
/// A quiet connection holds 1 KiB a direction; one that fills them is lent a large buffer until it is quiet again, so that thousands of quiet ones cost little and a
/// busy one runs at full speed.
/// Threads: one.
final class Pump {
    private static final int SMALL = 1024;
    /// Less in one read than this, and a connection is quiet again.
    private static final int BUSY = 16 * 1024;

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
        while (step(small) >= 0) {
            if (small.limit() == SMALL && !busy()) {
                return;
            }
        }
        to.shutdownOutput();
    }

    /// False when the first has no more, which the other has been told.
    private boolean busy() throws IOException {
        Optional<ByteBuffer> lent = buffers.take();
        if (lent.isEmpty()) {
            return true;
        }
        try {
            int read;
            do {
                read = step(lent.get());
            } while (read >= BUSY);
            if (read < 0) {
                to.shutdownOutput();
            }
            return read >= 0;
        } finally {
            buffers.giveBack(lent.get());
        }
    }

    private int step(ByteBuffer buffer) throws IOException {
        buffer.clear();
        int read = from.read(buffer);
        buffer.flip();
        if (read > 0) {
            meter.passed(read);
            while (buffer.hasRemaining()) {
                to.write(buffer);
            }
        }
        return read;
    }
}
