package dev.caisson.edge;

import java.time.Duration;

/// One exchange that goes on, as far as time is concerned: when something last moved, and how long nothing may.
final class Exchange {
    private final Runnable end;
    private volatile long movedNanos = System.nanoTime();
    private volatile long patienceNanos;
    private volatile boolean over;

    /// @param end cuts it
    Exchange(Duration patience, Runnable end) {
        this.patienceNanos = patience.toNanos();
        this.end = end;
    }

    void moved() {
        movedNanos = System.nanoTime();
    }

    void patience(Duration now) {
        patienceNanos = now.toNanos();
        moved();
    }

    /// True when it was cut because nothing moved.
    boolean isOver() {
        return over;
    }

    void cutWhenQuiet() {
        if (System.nanoTime() - movedNanos > patienceNanos) {
            over = true;
            end.run();
        }
    }
}
