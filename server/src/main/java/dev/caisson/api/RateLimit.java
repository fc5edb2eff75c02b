package dev.caisson.api;

import java.time.Duration;
import java.util.OptionalLong;

/// Lets so many through a minute and counts the rest, so that callers cannot fill a log.
///
/// Threads: safe for many.
public final class RateLimit {
    private static final long WINDOW_NANOS = Duration.ofMinutes(1).toNanos();
    private final int perMinute;
    private long windowStart = System.nanoTime();
    private int used;
    private long held;

    public RateLimit(int perMinute) {
        this.perMinute = perMinute;
    }

    /// How many were held back since the last that was let through; empty when this one is held back too.
    public synchronized OptionalLong allow() {
        long now = System.nanoTime();
        if (now - windowStart > WINDOW_NANOS) {
            windowStart = now;
            used = 0;
        }
        if (used >= perMinute) {
            held++;
            return OptionalLong.empty();
        }
        used++;
        long before = held;
        held = 0;
        return OptionalLong.of(before);
    }
}
