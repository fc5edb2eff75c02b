package dev.caisson.api.mcp;

import dev.caisson.policy.Caller;
import io.modelcontextprotocol.spec.McpStreamableServerSession;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// One client between its `initialize` and its end.
///
/// Threads: safe for many.
final class McpSession {
    /// Requests that a client may have open at a time.
    static final int MAX_CALLS = 16;
    /// Cancellations that came before their request are remembered, the last few of them.
    private static final int MAX_EARLY = 16;

    private final McpStreamableServerSession session;
    private final Caller caller;
    private final Map<Object, RunningCall> calls = new HashMap<>();
    private final Set<Object> early = new LinkedHashSet<>();
    private long usedNanos = System.nanoTime();
    private boolean closed;

    McpSession(McpStreamableServerSession session, Caller caller) {
        this.session = session;
        this.caller = caller;
    }

    McpStreamableServerSession session() {
        return session;
    }

    String id() {
        return session.getId();
    }

    /// Belongs to one key: an id alone opens nothing.
    boolean isOf(Caller other) {
        return caller.key().equals(other.key());
    }

    String key() {
        return caller.key();
    }

    synchronized RunningCall begin(Object id) {
        if (closed) {
            throw new RefusedException(404, JsonRpc.INVALID_REQUEST, "the session has ended; initialize again");
        }
        if (calls.size() >= MAX_CALLS) {
            throw new RefusedException(429, JsonRpc.TOO_MANY, "this session has " + MAX_CALLS + " requests open; wait for one of them");
        }
        var call = new RunningCall(caller);
        if (calls.putIfAbsent(id, call) != null) {
            throw new RefusedException(400, JsonRpc.INVALID_REQUEST, "a request with this id is open already");
        }
        usedNanos = System.nanoTime();
        if (early.remove(id)) {
            call.cancel();
        }
        return call;
    }

    void end(Object id, RunningCall call) {
        call.finished();
        synchronized (this) {
            calls.remove(id);
            usedNanos = System.nanoTime();
        }
    }

    void cancel(Object id) {
        RunningCall call;
        synchronized (this) {
            usedNanos = System.nanoTime();
            call = calls.get(id);
            if (call == null) {
                early.add(id);
                if (early.size() > MAX_EARLY) {
                    early.remove(early.iterator().next());
                }
            }
        }
        if (call != null) {
            call.cancel();
        }
    }

    /// How long nothing has come of it, while nothing is open. Unit: nanoseconds.
    synchronized long idleNanos() {
        return calls.isEmpty() ? System.nanoTime() - usedNanos : 0;
    }

    synchronized void touch() {
        usedNanos = System.nanoTime();
    }

    /// Ends it and whatever it has open.
    void close() {
        List<RunningCall> open;
        synchronized (this) {
            closed = true;
            open = List.copyOf(calls.values());
        }
        open.forEach(RunningCall::cancel);
    }
}
