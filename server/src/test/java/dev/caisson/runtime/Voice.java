package dev.caisson.runtime;

import java.io.IOException;
import java.nio.channels.SocketChannel;

/// How a test speaks with what runs inside a sandbox.
public interface Voice extends AutoCloseable {
    /// What a line printed, and its exit status.
    record Answer(String text, int status) {}

    /// Comes to terms with whoever has just dialed.
    @FunctionalInterface
    interface Greeting {
        Voice greet(SocketChannel visitor) throws IOException, InterruptedException;
    }

    Answer run(String line, String user) throws IOException, InterruptedException;

    /// Sends a line for root and does not wait.
    void send(String line) throws IOException, InterruptedException;

    /// True when it hung up within a bound.
    boolean awaitEnd() throws IOException, InterruptedException;

    @Override
    void close() throws IOException;
}
