package dev.caisson.api.mcp;

import dev.caisson.policy.Caller;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// The sessions of all clients, bounded in number and in idle time.
///
/// Most clients never say that they end, so a key that opens one too many loses the one that has been idle longest; a client whose session is gone is told
/// so by 404 and initializes again.
/// Threads: safe for many.
final class McpSessions {
    static final Duration MAX_IDLE = Duration.ofMinutes(30);
    static final int MAX_OF_A_KEY = 64;
    static final int MAX = 1_024;

    private final Map<String, McpSession> sessions = new HashMap<>();

    void add(McpSession session) {
        List<McpSession> ended;
        synchronized (this) {
            ended = expired();
            List<McpSession> own = sessions.values().stream().filter(other -> other.key().equals(session.key())).toList();
            if (own.size() >= MAX_OF_A_KEY) {
                McpSession idlest = own.stream().max(Comparator.comparingLong(McpSession::idleNanos)).orElseThrow();
                if (idlest.idleNanos() == 0) {
                    throw new RefusedException(429, JsonRpc.TOO_MANY, "this key has " + MAX_OF_A_KEY + " sessions at work; end one of them");
                }
                sessions.remove(idlest.id());
                ended = Stream.concat(ended.stream(), Stream.of(idlest)).toList();
            }
            if (sessions.size() >= MAX) {
                throw new RefusedException(503, JsonRpc.TOO_MANY, "there are " + MAX + " sessions; try again later");
            }
            sessions.put(session.id(), session);
        }
        ended.forEach(McpSession::close);
    }

    /// The session of that id, when it is the caller's.
    Optional<McpSession> find(String id, Caller caller) {
        List<McpSession> ended;
        Optional<McpSession> found;
        synchronized (this) {
            ended = expired();
            found = Optional.ofNullable(sessions.get(id)).filter(session -> session.isOf(caller));
            found.ifPresent(McpSession::touch);
        }
        ended.forEach(McpSession::close);
        return found;
    }

    void remove(McpSession session) {
        synchronized (this) {
            sessions.remove(session.id());
        }
        session.close();
    }

    void closeAll() {
        List<McpSession> all;
        synchronized (this) {
            all = List.copyOf(sessions.values());
            sessions.clear();
        }
        all.forEach(McpSession::close);
    }

    private List<McpSession> expired() {
        List<McpSession> old = sessions.values().stream().filter(session -> session.idleNanos() > MAX_IDLE.toNanos()).toList();
        old.forEach(session -> sessions.remove(session.id()));
        return old;
    }
}
