package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.time.Duration;

/// When something has to be done.
///
/// @param nanos of [System#nanoTime]
/// @param what is to be done till then; begins its error
record Deadline(long nanos, String what, Duration bound) {
    static Deadline in(Duration bound, String what) {
        return new Deadline(System.nanoTime() + bound.toNanos(), what, bound);
    }

    /// What is left, in whole milliseconds, 1 at least.
    ///
    /// Errors: an [IOException] when nothing is.
    long millis() throws IOException {
        long left = nanos - System.nanoTime();
        if (left <= 0) {
            throw new IOException(what + " took longer than " + bound.toSeconds() + " s");
        }
        return Math.max(1, left / 1_000_000);
    }

    /// A moment between two looks at something that cannot be waited for.
    void pause() throws IOException, InterruptedException {
        Thread.sleep(Math.min(1, millis()));
    }
}
