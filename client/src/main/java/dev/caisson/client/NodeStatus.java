package dev.caisson.client;

import java.util.List;

/// Figures of the machine that runs the sandboxes.
///
/// @param leaked resources that a teardown could not release; must be 0
/// @param tiers what this machine can give, strongest first
/// @param residentMemory of the node process; bytes
public record NodeStatus(long alive, long created, long deleted, long failed, long leaked, List<String> tiers, long residentMemory, Json.Obj json) {
    static NodeStatus of(Json.Obj json) {
        return Answers.read(json, () -> new NodeStatus(
                json.whole("alive"), json.whole("created"), json.whole("deleted"), json.whole("failed"), json.whole("leaked"),
                json.list("tiers").stream().map(each -> each instanceof Json.Text(var tier) ? tier : each.write()).toList(), json.whole("resident_memory_bytes"), json));
    }
}
