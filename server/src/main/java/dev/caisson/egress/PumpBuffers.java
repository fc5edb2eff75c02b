package dev.caisson.egress;

import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/// Large buffers for connections that are busy, lent for as long as they are; a bounded number of them, whatever the number of connections.
///
/// Threads: safe for many.
final class PumpBuffers {
    /// Unit: bytes.
    static final int SIZE = 256 * 1024;

    private final BlockingQueue<ByteBuffer> free;
    private int unmade;

    /// @param most how many there may be
    PumpBuffers(int most) {
        free = new ArrayBlockingQueue<>(most);
        unmade = most;
    }

    /// An empty one, or none where all are lent: a connection does without then, only slower.
    Optional<ByteBuffer> take() {
        ByteBuffer buffer = free.poll();
        return buffer != null ? Optional.of(buffer.clear()) : make();
    }

    private synchronized Optional<ByteBuffer> make() {
        if (unmade == 0) {
            return Optional.empty();
        }
        unmade--;
        return Optional.of(ByteBuffer.allocateDirect(SIZE));
    }

    void giveBack(ByteBuffer buffer) {
        free.add(buffer);
    }
}
