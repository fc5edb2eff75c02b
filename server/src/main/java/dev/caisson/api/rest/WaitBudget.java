package dev.caisson.api.rest;

import java.util.concurrent.atomic.AtomicLong;

/// Memory that all `wait=true` calls together may fill with output; when it is used up, further output is counted but not kept.
final class WaitBudget {
    private final AtomicLong left;

    WaitBudget(long bytes) {
        this.left = new AtomicLong(bytes);
    }

    /// Takes up to `wanted` bytes; answers how many.
    int take(int wanted) {
        long before = left.getAndUpdate(now -> now - Math.min(now, wanted));
        return (int) Math.min(before, wanted);
    }

    void giveBack(long bytes) {
        left.addAndGet(bytes);
    }
}
