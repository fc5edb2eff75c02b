package dev.caisson.node;

import dev.caisson.sandbox.Failure;
import java.util.BitSet;

/// Small numbers of which no two living sandboxes have the same. Threads: safe for many.
final class Slots {
    private final BitSet taken = new BitSet();
    private final int most;

    Slots(int most) {
        this.most = most;
    }

    /// The smallest free one.
    synchronized int take() {
        int slot = taken.nextClearBit(0);
        if (slot >= most) {
            throw Failure.Code.TOO_MANY.with("this node already runs " + most + " sandboxes, the most it takes", "delete some, or wait until leases are over");
        }
        taken.set(slot);
        return slot;
    }

    /// Marks one as taken by a sandbox that was found alive.
    synchronized void keep(int slot) {
        taken.set(slot);
    }

    synchronized void free(int slot) {
        taken.clear(slot);
    }
}
