package dev.caisson.client;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/// Requests to one installation, over connections that are kept for the next.
///
/// Threads: safe for many.
final class Http implements AutoCloseable {
    /// Most that an answer may keep us waiting: a first create may have to mount its image, a delete waits for its receipt.
    static final int ANSWER_TIMEOUT_MS = 120_000;
    /// Streams carry a heartbeat every 10 seconds; after two and a half without one the connection is dead.
    static final int STREAM_TIMEOUT_MS = 25_000;

    private static final int MAX_IDLE = 8;
    /// Shorter than the idle timeout of common servers and proxies.
    private static final long MAX_IDLE_NANOS = 15_000_000_000L;

    private final Endpoint endpoint;
    private final ArrayDeque<Connection> idle = new ArrayDeque<>();
    private final ReentrantLock lock = new ReentrantLock();
    private boolean closed;

    Http(Endpoint endpoint) {
        this.endpoint = endpoint;
    }

    Endpoint endpoint() {
        return endpoint;
    }

    /// Asks and reads a JSON object.
    Json.Obj ask(String method, String path, Body body) {
        try (var answer = open(method, path, "application/json", body, ANSWER_TIMEOUT_MS)) {
            return answer.status() == 204 ? Json.object().done() : answer.json();
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    Json.Obj get(String path) {
        return ask("GET", path, new Body.None());
    }

    /// Asks and hands over the answer, whose status is 2xx; a problem document is thrown.
    ///
    /// Errors: [IOException] when the connection failed, whatever the server may have done by then.
    Answer open(String method, String path, String accept, Body body, int timeoutMillis) throws IOException {
        return open(method, path, accept, body, timeoutMillis, Listener.NONE);
    }

    /// Told of the connection that carries a request, so that another thread can end it.
    interface Listener {
        Listener NONE = _ -> {};

        void connected(Connection connection);
    }

    Answer open(String method, String path, String accept, Body body, int timeoutMillis, Listener listener) throws IOException {
        var kept = reuse();
        var connection = kept.isPresent() ? kept.get() : endpoint.dial();
        listener.connected(connection);
        try {
            connection.send(head(method, path, accept, body), body);
            var answer = new Answer(this, connection, connection.receive(timeoutMillis));
            if (answer.status() / 100 != 2) {
                throw problem(answer);
            }
            return answer;
        } catch (ClosedByInterruptException e) {
            throw CaissonException.interrupted(e);
        } catch (IOException | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    private String head(String method, String path, String accept, Body body) {
        var head = new StringBuilder(method).append(' ').append(endpoint.prefix()).append(path).append(" HTTP/1.1\r\nHost: ").append(endpoint.authority())
                .append("\r\nAuthorization: Bearer ").append(endpoint.key()).append("\r\nAccept: ").append(accept).append("\r\nUser-Agent: caisson-java\r\n");
        switch (body) {
            case Body.None() -> {
                if (!method.equals("GET")) {
                    head.append("Content-Length: 0\r\n");
                }
            }
            case Body.Bytes(var type, var bytes) -> head.append("Content-Type: ").append(type).append("\r\nContent-Length: ").append(bytes.length).append("\r\n");
            case Body.Stream(_, _, long length) -> {
                head.append("Content-Type: application/octet-stream\r\n");
                head.append(length < 0 ? "Transfer-Encoding: chunked" : "Content-Length: " + length).append("\r\n");
            }
        }
        return head.append("\r\n").toString();
    }

    private static CaissonException problem(Answer answer) throws IOException {
        try (answer) {
            if (!answer.header("content-type").orElse("").startsWith("application/problem+json")) {
                throw CaissonException.badAnswer("HTTP status " + answer.status() + " without a problem document", null);
            }
            return problem(answer.json());
        }
    }

    /// The exception that a problem document tells of.
    static CaissonException problem(Json.Obj problem) {
        return new CaissonException(
                problem.text("code", "internal"), problem.find("status").isPresent() ? (int) problem.whole("status") : 0,
                problem.text("detail", problem.text("title", "it failed")), problem.text("remedy", ""), null);
    }

    CaissonException unreachable(IOException cause) {
        return new CaissonException(
                "unreachable", 0, "the connection to " + endpoint + " failed: " + cause.getMessage(),
                "see whether it runs with `caisson status`, or start it with `caisson up`", cause);
    }

    private Optional<Connection> reuse() {
        lock.lock();
        try {
            while (!idle.isEmpty()) {
                var connection = idle.pop();
                if (connection.isFresh(MAX_IDLE_NANOS)) {
                    return Optional.of(connection);
                }
                connection.close();
            }
            return Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    void giveBack(Connection connection) {
        connection.rest();
        lock.lock();
        try {
            if (!closed && idle.size() < MAX_IDLE) {
                idle.push(connection);
                return;
            }
        } finally {
            lock.unlock();
        }
        connection.close();
    }

    /// A value made fit for a path or a query.
    static String escape(String value) {
        return URLEncoder.encode(value, StandardCharsets.UTF_8).replace("+", "%20");
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            idle.forEach(Connection::close);
            idle.clear();
        } finally {
            lock.unlock();
        }
    }
}
