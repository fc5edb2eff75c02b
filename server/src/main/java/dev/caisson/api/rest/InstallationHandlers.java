package dev.caisson.api.rest;

import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.policy.TierPolicy;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;

/// Health, status, templates, metrics and the API's own document.
final class InstallationHandlers {
    private final Sandboxes sandboxes;
    private final TierPolicy tiers;
    private final RequestMetrics requests;
    private final Attachments attachments;
    private final ApiDocument document = new ApiDocument();

    InstallationHandlers(Sandboxes sandboxes, TierPolicy tiers, RequestMetrics requests, Attachments attachments) {
        this.sandboxes = sandboxes;
        this.tiers = tiers;
        this.requests = requests;
        this.attachments = attachments;
    }

    /// A node that does not answer throws, and so becomes the problem document.
    void health(Call call) {
        sandboxes.status();
        call.json(200, Json.object(out -> out.writeStringProperty("status", "ok")));
    }

    void status(Call call) {
        var status = sandboxes.status();
        var standing = tiers.standing(call.caller().seesAll() ? SandboxSpec.DEFAULT_TENANT : call.caller().tenant());
        call.json(200, Json.object(out -> {
            Forms.NODE_STATUS.writeKeys(status, out);
            out.writeName("policy");
            write(standing, out);
        }));
    }

    private static void write(TierPolicy.Standing standing, JsonGenerator out) {
        out.writeStartObject();
        out.writeBooleanProperty("shared", standing.shared());
        out.writeStringProperty("floor", standing.floor().label());
        out.writeBooleanProperty("accepts_emulated", standing.acceptsEmulated());
        standing.unmet().ifPresent(failure -> {
            out.writeName("unmet");
            Forms.FAILURE.write(failure, out);
        });
        out.writeEndObject();
    }

    void templates(Call call) {
        call.json(200, Json.object(out -> Json.writeList(out, "templates", sandboxes.templates(), Forms.TEMPLATE_INFO)));
    }

    void metrics(Call call) {
        Optional<NodeStatus> node;
        try {
            node = Optional.of(sandboxes.status());
        } catch (SandboxException _) {
            // A scrape must tell that the node is away, not fail with it.
            node = Optional.empty();
        }
        String text = new PrometheusText().node(node).streams(attachments.count()).requests(requests).toString();
        call.bytes(200, "text/plain; version=0.0.4; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
    }

    void openApiYaml(Call call) {
        call.bytes(200, "application/yaml", document.yaml());
    }

    void openApiJson(Call call) {
        call.json(200, document.json());
    }
}
