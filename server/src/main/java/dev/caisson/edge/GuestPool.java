package dev.caisson.edge;

import dev.caisson.sandbox.SandboxId;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Connections into sandboxes that are kept for the next request to the very same port: a new one costs two round trips into the sandbox.
///
/// Threads: safe for many. Cleanup: close cuts them all.
final class GuestPool implements AutoCloseable {
    /// Less than the 5 seconds after which common servers close one that is idle.
    static final long KEPT_NANOS = 4_000_000_000L;
    private static final int KEPT_FOR_PORT = 8;
    private static final int KEPT = 1_024;

    /// One port of one sandbox.
    record Key(SandboxId sandbox, int port) {}

    private record Idle(GuestConnection connection, long since) {}

    private final Map<Key, ArrayDeque<Idle>> idle = new HashMap<>();
    private int count;
    private boolean closed;

    /// One that was kept, the newest first.
    synchronized Optional<GuestConnection> take(Key key) {
        var kept = idle.get(key);
        if (kept == null) {
            return Optional.empty();
        }
        Idle newest = kept.removeLast();
        count--;
        if (kept.isEmpty()) {
            idle.remove(key);
        }
        if (System.nanoTime() - newest.since() > KEPT_NANOS) {
            newest.connection().close();
            return Optional.empty();
        }
        return Optional.of(newest.connection());
    }

    /// Keeps one, or closes it where enough are kept.
    synchronized void keep(Key key, GuestConnection connection) {
        if (closed || count >= KEPT || idle.getOrDefault(key, new ArrayDeque<>()).size() >= KEPT_FOR_PORT) {
            connection.close();
            return;
        }
        connection.reset();
        idle.computeIfAbsent(key, _ -> new ArrayDeque<>()).addLast(new Idle(connection, System.nanoTime()));
        count++;
    }

    /// How many are kept.
    synchronized int kept() {
        return count;
    }

    /// Closes those that were kept for too long.
    void tidy() {
        var old = new ArrayList<GuestConnection>();
        synchronized (this) {
            long now = System.nanoTime();
            for (var kept : List.copyOf(idle.entrySet())) {
                while (!kept.getValue().isEmpty() && now - kept.getValue().getFirst().since() > KEPT_NANOS) {
                    old.add(kept.getValue().removeFirst().connection());
                    count--;
                }
                if (kept.getValue().isEmpty()) {
                    idle.remove(kept.getKey());
                }
            }
        }
        old.forEach(GuestConnection::close);
    }

    @Override
    public synchronized void close() {
        closed = true;
        idle.values().forEach(kept -> kept.forEach(each -> each.connection().close()));
        idle.clear();
        count = 0;
    }
}
