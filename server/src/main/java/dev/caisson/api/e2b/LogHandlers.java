package dev.caisson.api.e2b;

import dev.caisson.json.Json;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.core.JsonGenerator;

/// A sandbox's log: that it was made, and when each command that is still known began and ended. What commands write is theirs who listen, and is not kept.
final class LogHandlers {
    private static final int MAX = 1_000;
    private static final long MAX_MILLI = MetricHandlers.MAX_SECOND * 1_000;

    private final Sandboxes sandboxes;

    LogHandlers(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    /// In the order of their weight.
    private enum Level {
        DEBUG,
        INFO,
        WARN,
        ERROR;

        static Level of(String label) {
            return Stream.of(values()).filter(level -> Json.label(level).equals(label)).findFirst().orElseThrow(() -> new Refusal(400, "level must be debug, info, warn or error"));
        }
    }

    private record Line(Instant at, Level level, String message, Map<String, String> fields) {}

    /// The newer form: a cursor in time, and a direction to go from it.
    void second(ControlCall call) throws IOException {
        var query = call.http().query();
        boolean backward = switch (query.text("direction").orElse("forward")) {
            case "forward" -> false;
            case "backward" -> true;
            default -> throw new Refusal(400, "direction must be forward or backward");
        };
        long cursor = query.whole("cursor", 0, MAX_MILLI, backward ? MAX_MILLI : 0);
        long limit = query.whole("limit", 1, MAX, MAX);
        Level least = Level.of(query.text("level").orElse("debug"));
        String search = query.text("search").orElse("");
        var lines = new ArrayList<>(lines(call.sandbox()));
        if (backward) {
            lines.sort(Comparator.comparing(Line::at).reversed());
        }
        List<Line> wanted = lines.stream().filter(line -> backward ? line.at().toEpochMilli() <= cursor : line.at().toEpochMilli() >= cursor)
                .filter(line -> line.level().compareTo(least) >= 0 && line.message().contains(search)).limit(limit).toList();
        call.http().json(200, out -> writeEntries("logs", wanted, out));
    }

    /// The older form: the same twice, as text and as objects.
    void first(ControlCall call) throws IOException {
        var query = call.http().query();
        long start = query.whole("start", 0, MAX_MILLI, 0);
        long limit = query.whole("limit", 1, MAX, MAX);
        List<Line> wanted = lines(call.sandbox()).stream().filter(line -> line.at().toEpochMilli() >= start).limit(limit).toList();
        call.http().json(200, out -> {
            out.writeArrayPropertyStart("logs");
            for (Line line : wanted) {
                out.writeStartObject();
                out.writeStringProperty("timestamp", line.at().toString());
                out.writeStringProperty("line", line.message());
                out.writeEndObject();
            }
            out.writeEndArray();
            writeEntries("logEntries", wanted, out);
        });
    }

    private static void writeEntries(String key, List<Line> lines, JsonGenerator out) {
        out.writeArrayPropertyStart(key);
        for (Line line : lines) {
            out.writeStartObject();
            out.writeStringProperty("timestamp", line.at().toString());
            out.writeStringProperty("level", Json.label(line.level()));
            out.writeStringProperty("message", line.message());
            Json.writeMap(out, "fields", line.fields());
            out.writeEndObject();
        }
        out.writeEndArray();
    }

    /// The oldest first.
    private List<Line> lines(SandboxInfo sandbox) {
        var lines = new ArrayList<Line>();
        lines.add(new Line(sandbox.created().truncatedTo(ChronoUnit.MICROS), Level.INFO, "sandbox " + sandbox.id() + " was made of template " + sandbox.spec().template(), Map.of("event", "created")));
        for (CommandInfo command : sandboxes.commands(sandbox.id())) {
            var fields = new LinkedHashMap<String, String>();
            fields.put("event", "started");
            fields.put("command", command.id().value());
            fields.put("pid", Integer.toString(command.pid()));
            if (!command.tag().isEmpty()) {
                fields.put("tag", command.tag());
            }
            lines.add(new Line(command.started(), Level.INFO, "command " + command.id() + " started: " + String.join(" ", command.argv()), fields));
            command.result().ifPresent(result -> lines.add(ended(command, result, fields)));
        }
        lines.sort(Comparator.comparing(Line::at));
        return lines;
    }

    private static Line ended(CommandInfo command, CommandResult result, Map<String, String> started) {
        String outcome = Json.label(result.outcome());
        var fields = new LinkedHashMap<>(started);
        fields.put("event", "ended");
        fields.put("outcome", outcome);
        fields.put("status", Integer.toString(result.status()));
        boolean well = result.outcome() == CommandResult.Outcome.EXITED && result.status() == 0;
        return new Line(command.started().plus(result.wall()).truncatedTo(ChronoUnit.MICROS), well ? Level.INFO : Level.WARN,
                "command " + command.id() + " ended: " + outcome + ", status " + result.status(), fields);
    }
}
