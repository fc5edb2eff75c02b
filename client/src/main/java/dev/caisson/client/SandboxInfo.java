package dev.caisson.client;

import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/// A sandbox as its owner sees it.
///
/// @param state `creating`, `running`, `paused`, `deleting` or `deleted`
/// @param expires when the lease is over; of a paused one, when it is deleted
/// @param createTime from the request's arrival at the node to the first word of the agent inside
/// @param json all that the installation said of it
public record SandboxInfo(String id, String state, String template, Tier tier, Trust trust, Instant created, Instant expires, Duration createTime, Json.Obj json) {
    /// Whose it is.
    public String tenant() {
        return json.object("spec").text("tenant", "default");
    }

    /// What runs it; empty where an installation of before drivers had names does not say.
    public Optional<Driver> driver() {
        return Words.driver(json.object("spec"));
    }

    static SandboxInfo of(Json.Obj json) {
        return Answers.read(json, () -> {
            var spec = json.object("spec");
            return new SandboxInfo(
                    json.text("id"), json.text("state").toLowerCase(Locale.ROOT), spec.text("template"), Words.parse(Tier.class, spec.text("tier")),
                    Words.parse(Trust.class, spec.text("trust")), Instant.parse(json.text("created_at")), Instant.parse(json.text("expires_at")),
                    Words.millis(json, "create_ms"), json);
        });
    }
}
