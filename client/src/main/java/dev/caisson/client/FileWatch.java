package dev.caisson.client;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/// A running watch over a directory of a sandbox.
///
/// Threads: one takes changes; close may come from any.
/// Cleanup: close ends it.
public final class FileWatch implements AutoCloseable {
    private final Http http;
    private final Answer answer;
    private final Connection[] connection;
    private final InputStream lines;

    FileWatch(Http http, Answer answer, Connection[] connection) {
        this.http = http;
        this.answer = answer;
        this.connection = connection;
        lines = answer.stream();
    }

    /// The next change; waits for it. Empty when the watch has ended.
    public Optional<FileChange> next() {
        try {
            for (String line = Answer.line(lines); line != null; line = Answer.line(lines)) {
                var event = parse(line);
                switch (event.text("event", "")) {
                    case "heartbeat" -> {
                        continue;
                    }
                    case "problem" -> throw Http.problem(event.object("problem"));
                    default -> {
                        return Optional.of(Answers.read(event, () -> new FileChange(event.text("event"), event.text("path"))));
                    }
                }
            }
            return Optional.empty();
        } catch (java.nio.channels.AsynchronousCloseException _) {
            return Optional.empty();
        } catch (IOException e) {
            throw http.unreachable(e);
        }
    }

    private static Json.Obj parse(String line) {
        try {
            return Json.parseObject(line);
        } catch (IllegalArgumentException e) {
            throw CaissonException.badAnswer("a line of a watch is not JSON", e);
        }
    }

    @Override
    public void close() {
        // Ended by its connection, not politely: another thread may be waiting in it.
        for (var each : connection) {
            each.close();
        }
        answer.close();
    }
}
