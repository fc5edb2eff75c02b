package dev.caisson.sandbox;

import java.nio.ByteBuffer;
import java.util.Optional;

/// A connection to a TCP port inside a sandbox, made by its agent on the sandbox's own loopback.
///
/// Back-pressure both ways: bytes not taken are not read from the guest, and a write waits while the guest does not read.
/// Threads: one thread reads, another may write. Cleanup: close cuts the connection.
public interface PortConnection extends AutoCloseable {
    /// The next bytes, valid until the next call; empty when the other end has said that no more come.
    ///
    /// Errors: [Failure.Code#GUEST_FAILED] or [Failure.Code#NODE_UNREACHABLE] when the connection broke.
    Optional<ByteBuffer> next() throws InterruptedException;

    void write(ByteBuffer data) throws InterruptedException;

    /// Says that no more bytes come from here; reading goes on.
    void finish() throws InterruptedException;

    @Override
    void close();
}
