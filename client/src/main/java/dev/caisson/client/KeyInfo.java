package dev.caisson.client;

import java.time.Instant;
import java.util.Optional;

/// A key of an installation, without its text.
///
/// @param lastUsed to the minute; empty when never
/// @param revoked empty while it is valid
public record KeyInfo(String id, String name, Instant created, Optional<Instant> lastUsed, Optional<Instant> revoked, Json.Obj json) {
    /// Whose sandboxes it sees.
    public String tenant() {
        return json.text("tenant", "default");
    }

    static KeyInfo of(Json.Obj json) {
        return Answers.read(json, () -> new KeyInfo(
                json.text("id"), json.text("name", ""), Instant.parse(json.text("created_at")), json.find("last_used_at").map(_ -> Instant.parse(json.text("last_used_at"))),
                json.find("revoked_at").map(_ -> Instant.parse(json.text("revoked_at"))), json));
    }
}
