package dev.caisson.client;

import java.net.URI;
import java.time.Instant;

/// A link to a port of a sandbox. Whoever has it may use it until it expires.
public record PortLink(URI url, Instant expires) {
    static PortLink of(Json.Obj json) {
        return Answers.read(json, () -> new PortLink(URI.create(json.text("url")), Instant.parse(json.text("expires_at"))));
    }
}
