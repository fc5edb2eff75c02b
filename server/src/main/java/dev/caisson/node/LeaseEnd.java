package dev.caisson.node;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/// The end of a lease by the wall clock, for people. The same until the lease changes, though two clocks are read to tell it; unless the wall clock is set.
///
/// Threads: one at a time.
final class LeaseEnd {
    /// Two readings of clocks that nobody has set differ by less.
    private static final Duration JITTER = Duration.ofSeconds(1);

    private final Uptime uptime;
    private final InstantSource clock;
    private long deadlineNanos;
    private Instant told = Instant.EPOCH;

    LeaseEnd(Uptime uptime, InstantSource clock) {
        this.uptime = uptime;
        this.clock = clock;
    }

    /// @param deadlineNanos in [Uptime]
    Instant at(long deadlineNanos) {
        Instant now = clock.instant().plus(uptime.until(deadlineNanos));
        if (deadlineNanos != this.deadlineNanos || Duration.between(told, now).abs().compareTo(JITTER) > 0) {
            this.deadlineNanos = deadlineNanos;
            told = now;
        }
        return told;
    }
}
