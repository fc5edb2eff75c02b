package dev.caisson.api.rest;

import dev.caisson.api.PortForwarder;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.PortLinks;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;

/// `/v1/sandboxes/{id}/ports`: where a port is found from outside, and by whom.
final class PortHandlers {
    private final Tenants tenants;
    private final PreviewLinks preview;

    PortHandlers(Tenants tenants, PreviewLinks preview) {
        this.tenants = tenants;
        this.preview = preview;
    }

    /// The port's address, and the token that opens it.
    void get(Call call) {
        SandboxId id = call.sandbox();
        int port = port(call);
        URI url = preview.named().url(id, port);
        boolean open = tenants.of(call.caller()).get(id).spec().publicPorts();
        call.header("Cache-Control", "no-store");
        call.json(200, Json.object(out -> {
            out.writeStringProperty("url", url.toString());
            out.writeBooleanProperty("public", open);
            out.writeStringProperty("token", preview.tokens().token(id, SandboxTokens.Purpose.TRAFFIC));
        }));
    }

    void link(Call call) throws IOException {
        SandboxId id = call.sandbox();
        int port = port(call);
        JsonObject in = call.json();
        Duration time = in.seconds("expires_seconds").orElse(PortLinks.DEFAULT_TIME);
        in.end();
        URI url = preview.named().url(id, port);
        PortLinks.Link link = preview.links().make(id, port, time);
        // Nobody gets a link to what is not there.
        tenants.of(call.caller()).get(id);
        call.header("Cache-Control", "no-store");
        call.json(201, Json.object(out -> {
            out.writeStringProperty("url", PreviewLinks.address(url, link));
            out.writeStringProperty("expires_at", link.expires().toString());
        }));
    }

    private static int port(Call call) {
        String text = call.parameter("port");
        if (!text.matches("[1-9][0-9]{0,4}") || Integer.parseInt(text) > 65_535) {
            throw Failure.Code.BAD_REQUEST.with("not a port: '" + Failure.shown(text) + "'", "ports are 1 to 65535, without leading zeros");
        }
        int port = Integer.parseInt(text);
        if (port == PortForwarder.RESERVED_PORT) {
            throw Failure.Code.NOT_PERMITTED.with("port " + port + " is not forwarded", "let the server in the sandbox listen on another");
        }
        return port;
    }
}
