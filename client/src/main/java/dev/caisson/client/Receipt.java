package dev.caisson.client;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What a destroyed sandbox leaves behind: why it ended, what it used, what it was refused, and every resource it held, each checked to be gone.
///
/// @param reason `deleted`, `lease-over`, `out-of-memory`, `guest-failed`, `create-failed` or `lost`
/// @param by which guarantee did it: `keeper`, `deadman` or `sweep`
/// @param denied what limits refused, as the host counted it
/// @param leaks resources that are still there; must be 0
/// @param json all that the installation said of it
public record Receipt(
        String id, String template, Tier tier, Trust trust, Instant created, Instant ended, String reason, String by, Usage usage, Map<String, Long> denied, long leaks,
        List<Check> resources, Json.Obj json) {
    /// One resource after its release.
    ///
    /// @param detail why it is still there; empty when gone
    public record Check(String kind, String name, boolean gone, String detail) {}

    /// What ran it; empty in receipts of before drivers had names.
    public Optional<Driver> driver() {
        return Words.driver(json);
    }

    static Receipt of(Json.Obj json) {
        return Answers.read(json, () -> {
            var denied = new LinkedHashMap<String, Long>();
            var counts = json.object("denied");
            counts.members().keySet().forEach(name -> denied.put(name, counts.whole(name)));
            return new Receipt(
                    json.text("id"), json.text("template"), Words.parse(Tier.class, json.text("tier")), Words.parse(Trust.class, json.text("trust")),
                    Instant.parse(json.text("created_at")), Instant.parse(json.text("ended_at")), json.text("reason"), json.text("by"), Usage.of(json.object("usage")),
                    denied, json.whole("leaks"),
                    Answers.list(json, "resources", each -> new Check(each.text("kind"), each.text("name"), each.bool("gone"), each.text("detail", ""))), json);
        });
    }
}
