package dev.caisson.egress;

import java.io.IOException;
import java.util.function.IntConsumer;

/// A connection to the server that requests are sent on to, one after the other.
///
/// Threads: one sends, one receives.
final class ServerConnection {
    private final Wire wire;
    private final HttpInput in;
    private final HttpOutput out;
    private long received;
    private long idleSince;
    private boolean used;

    /// @param sent told of bytes that went out
    /// @param came told of bytes that came in
    ServerConnection(Wire wire, IntConsumer sent, IntConsumer came) throws IOException {
        this.wire = wire;
        in = new HttpInput(wire.in(), count -> {
            received += count;
            came.accept(count);
        });
        out = new HttpOutput(wire.out(), sent);
    }

    HttpInput in() {
        return in;
    }

    HttpOutput out() {
        return out;
    }

    /// An answer has been received before.
    boolean isUsed() {
        return used;
    }

    /// Not one byte has come since the last answer.
    boolean isSilent() {
        return received == 0;
    }

    /// The answer was received whole and the server keeps the connection.
    void rest() throws IOException {
        used = true;
        received = 0;
        idleSince = System.nanoTime();
        out.release();
    }

    /// Whether it can be tried with another request. Servers end connections that rest; who notices too late has lost what cannot be sent twice.
    ///
    /// @param repeatable the request may be sent again on a fresh connection
    boolean isGood(boolean repeatable, long longestNanos) throws IOException {
        return !in.hasMore() && (repeatable || System.nanoTime() - idleSince < longestNanos);
    }

    void finish() throws IOException {
        wire.finish();
    }

    void close() {
        wire.close();
    }
}
