package dev.caisson.sandbox;

import java.nio.ByteBuffer;

/// A caller's end of one command: its events to take, its input to give.
///
/// Back-pressure: an event not taken is not read from the guest; a command whose stream nobody reads stops at a full pipe.
/// Threads: one thread takes events, another may write input, any may close.
/// Cleanup: close detaches, and fails a wait for the next event with [Failure.Code#NODE_UNREACHABLE]; the command goes on, and can be attached to again.
public interface CommandStream extends AutoCloseable {
    /// Stands for the offset of the next byte to come.
    long FROM_NOW = -1;
    /// Stands for the offset of the oldest byte kept.
    long FROM_KEPT = -2;

    /// The next event; waits for it. After [CommandEvent.Ended] there is none. Its bytes are valid until the next call.
    ///
    /// Errors: [Failure.Code#NODE_UNREACHABLE] when the connection broke (attach again), [Failure.Code#GUEST_FAILED].
    CommandEvent next() throws InterruptedException;

    /// True when [#next] would not wait.
    boolean isReady();

    /// Gives input to the command; waits while the command does not read.
    void write(ByteBuffer data) throws InterruptedException;

    /// Ends the command's input.
    void closeInput() throws InterruptedException;

    @Override
    void close();
}
