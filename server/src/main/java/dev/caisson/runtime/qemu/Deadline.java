package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.time.Duration;

/// When something has to be done.
///
/// @param nanos of [System#nanoTime]
/// @param bound how long there was
record Deadline(long nanos, Duration bound) {
    static Deadline in(Duration bound) {
        return new Deadline(System.nanoTime() + bound.toNanos(), bound);
    }

    /// What is left, in whole milliseconds, 1 at least.
    ///
    /// Errors: an [IOException] when nothing is.
    long millis() throws IOException {
        long left = nanos - System.nanoTime();
        if (left <= 0) {
            throw new IOException("not done within " + bound.toMillis() / 1000.0 + " s");
        }
        return Math.max(1, left / 1_000_000);
    }

    /// A moment between two looks at something that cannot be waited for.
    void pause() throws IOException, InterruptedException {
        Thread.sleep(Math.min(1, millis()));
    }
}
