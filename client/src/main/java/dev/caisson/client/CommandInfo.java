package dev.caisson.client;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A command of a sandbox.
///
/// @param pid as seen inside the sandbox
/// @param started by the host's clock
/// @param end empty while it runs
/// @param cwd as it was asked for; empty for the user's home
/// @param env what was asked for on top of the sandbox's own; empty once it has ended
/// @param tag as it was asked for
public record CommandInfo(String id, List<String> argv, int pid, Instant started, Optional<CommandEnd> end, String cwd, Map<String, String> env, String tag, Json.Obj json) {
    static CommandInfo of(Json.Obj json) {
        return Answers.read(json, () -> new CommandInfo(
                json.text("id"), json.list("argv").stream().map(each -> each instanceof Json.Text(var text) ? text : each.write()).toList(), (int) json.whole("pid"), Instant.parse(json.text("started_at")),
                json.find("result").map(_ -> CommandEnd.of(json.object("result"))), json.text("cwd", ""), json.texts("env"),
                json.text("tag", ""), json));
    }
}
