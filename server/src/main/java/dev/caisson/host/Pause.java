package dev.caisson.host;

import java.io.InterruptedIOException;
import java.time.Duration;

/// A short wait between two looks at the kernel, where it has nothing to wait on.
final class Pause {
    private Pause() {}

    static void of(Duration time) throws InterruptedIOException {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
    }
}
