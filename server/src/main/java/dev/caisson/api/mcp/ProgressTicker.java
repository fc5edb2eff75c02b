package dev.caisson.api.mcp;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/// Tells once a second how long a command has been running and how much it has written, when the client asked for it.
///
/// Cleanup: close stops it and waits until nothing more is told.
final class ProgressTicker implements AutoCloseable {
    private static final long PERIOD_MILLIS = 1_000;

    private final ToolCall.Progress progress;
    private final double total;
    private final long begin = System.nanoTime();
    private final AtomicLong bytes = new AtomicLong();
    private final Thread thread;

    /// @param most the longest it may take
    ProgressTicker(ToolCall.Progress progress, Duration most) {
        this.progress = progress;
        this.total = most.toSeconds();
        this.thread = Thread.ofVirtual().name("mcp-progress").unstarted(this::tick);
        if (progress.isWanted()) {
            thread.start();
        }
    }

    void count(int more) {
        bytes.addAndGet(more);
    }

    private void tick() {
        try {
            while (true) {
                Thread.sleep(PERIOD_MILLIS);
                double seconds = (System.nanoTime() - begin) / 1e9;
                progress.tell(Math.min(seconds, total), total, "running for " + (long) seconds + " s of at most " + (long) total + ", " + bytes.get() + " bytes of output");
            }
        } catch (InterruptedException _) {
            // Closed.
        }
    }

    @Override
    public void close() {
        if (!progress.isWanted()) {
            return;
        }
        thread.interrupt();
        try {
            thread.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
