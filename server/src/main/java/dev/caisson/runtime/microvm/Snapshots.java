package dev.caisson.runtime.microvm;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The snapshots that sandboxes start from: kept in memory, else read from disk and checked, else made. What is out of date is never asked for again, and goes.
///
/// Threads: safe for many; whoever needs one that is just being made waits for it.
final class Snapshots {
    /// In memory at a time; one takes what its guest has touched, some 70 MiB.
    private static final int MAX_OPEN = 8;

    private final SnapshotStore store;
    private final Freezer freezer;
    private final Map<String, Place> places = new LinkedHashMap<>(16, 0.75f, true);

    /// One key's, with a lock of its own: making one takes seconds.
    private static final class Place {
        final ReentrantLock lock = new ReentrantLock();
        @Nullable Snapshot open;
    }

    Snapshots(SnapshotStore store, Freezer freezer) {
        this.store = store;
        this.freezer = freezer;
    }

    /// Errors: an [IOException] that says why none can be made.
    Snapshot of(Origin origin) throws IOException, InterruptedException {
        Place place = place(origin.key());
        place.lock.lockInterruptibly();
        try {
            Snapshot open = place.open;
            if (open == null || !store.isUsed(open)) {
                open = opened(origin);
                place.open = open;
            }
            return open;
        } finally {
            place.lock.unlock();
        }
    }

    private Place place(String key) {
        synchronized (places) {
            Place place = places.computeIfAbsent(key, _ -> new Place());
            if (places.size() > MAX_OPEN) {
                // The one used longest ago. Its memory goes when nobody starts from it any more; machines that run keep what they have mapped.
                var oldest = places.entrySet().iterator();
                oldest.next();
                oldest.remove();
            }
            return place;
        }
    }

    private Snapshot opened(Origin origin) throws IOException, InterruptedException {
        Optional<Snapshot> kept = store.find(origin);
        if (kept.isPresent()) {
            return kept.get();
        }
        SnapshotStore.Draft draft = store.draft(origin);
        try {
            freezer.freeze(origin, draft);
            store.keep(draft);
        } finally {
            store.drop(draft);
        }
        return store.find(origin).orElseThrow(() -> new IOException("the snapshot that was just made below " + store.root() + " is not as it was written"));
    }
}
