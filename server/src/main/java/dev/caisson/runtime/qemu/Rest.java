package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/// Whether a machine has nothing to do: whether every thread of its QEMU sleeps.
///
/// A guest whose way home has just been closed hears of that when QEMU and it have got round to it, which on a busy host takes a while. Frozen before, its copies would wake without
/// having heard, and the news that home is open again would be none.
///
/// @param process QEMU's
record Rest(int process) {
    private static final int LOOKS = 15;
    private static final Duration BETWEEN = Duration.ofMillis(2);
    /// A machine that is never at rest has heard by then.
    private static final Duration BOUND = Duration.ofSeconds(3);

    /// Waits until it was seen at rest at each look of about 30 ms, at most 3 s.
    void await() throws InterruptedException {
        long until = System.nanoTime() + BOUND.toNanos();
        for (int looks = 0; looks < LOOKS && System.nanoTime() < until; looks = sleeps() ? looks + 1 : 0) {
            Thread.sleep(BETWEEN);
        }
    }

    private boolean sleeps() {
        try (var threads = Files.newDirectoryStream(Path.of("/proc/" + process + "/task"))) {
            for (Path thread : threads) {
                // PID (NAME) STATE …; a name may hold anything.
                String stat = Files.readString(thread.resolve("stat"));
                if (stat.charAt(stat.lastIndexOf(')') + 2) != 'S') {
                    return false;
                }
            }
            return true;
        } catch (IOException _) {
            // A thread that has just ended; or all of it, which whoever talks to it next finds out.
            return false;
        }
    }
}
