package dev.caisson.client;

import java.util.List;
import java.util.Optional;

/// Figures of the machine that runs the sandboxes.
///
/// @param standingBy machines made ahead that are nobody's yet
/// @param leaked resources that a teardown could not release; must be 0
/// @param tiers what this machine can give, strongest first; not what it can only emulate
/// @param drivers all of them, fit or not, the preferred ones first; none from installations of before they had names
/// @param policy what untrusted code of yours is in for; empty from those
/// @param residentMemory of the node process; bytes
public record NodeStatus(long alive, long standingBy, long created, long deleted, long failed, long leaked, List<String> tiers, List<DriverStatus> drivers, Optional<Standing> policy, long residentMemory, Json.Obj json) {
    static NodeStatus of(Json.Obj json) {
        return Answers.read(json, () -> new NodeStatus(
                json.whole("alive"), json.find("standing_by").isPresent() ? json.whole("standing_by") : 0, json.whole("created"), json.whole("deleted"), json.whole("failed"), json.whole("leaked"),
                json.list("tiers").stream().map(each -> each instanceof Json.Text(var tier) ? tier : each.write()).toList(), json.find("drivers").isPresent() ? Answers.list(json, "drivers", DriverStatus::of) : List.of(),
                json.find("policy").map(_ -> Standing.of(json.object("policy"))),
                json.whole("resident_memory_bytes"), json));
    }
}
