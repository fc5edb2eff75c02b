package dev.caisson.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/// Monotonic time that two processes of one boot share, and the name of that boot.
///
/// On Linux, [System#nanoTime] is CLOCK_MONOTONIC: nanoseconds since boot, the same in every process, never set back. Deadlines are kept in it, so that
/// a changed wall clock neither shortens nor lengthens a lease, and the deadman judges by the node's own figures.
///
/// @param bootId `/proc/sys/kernel/random/boot_id`: differs after a restart of the machine, when no sandbox can be alive
record Uptime(String bootId) {
    static Uptime ofThisBoot() throws IOException {
        return new Uptime(Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip());
    }

    /// Unit: nanoseconds.
    long now() {
        return System.nanoTime();
    }

    long in(Duration time) {
        return now() + time.toNanos();
    }

    Duration until(long deadlineNanos) {
        return Duration.ofNanos(deadlineNanos - now());
    }
}
