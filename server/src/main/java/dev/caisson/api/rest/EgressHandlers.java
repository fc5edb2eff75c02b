package dev.caisson.api.rest;

import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;

/// `/v1/sandboxes/{id}/egress` and `/v1/sandboxes/{id}/flows`: what a sandbox may reach outside, and what it has tried.
final class EgressHandlers {
    private static final int MAX = 1_000;
    private static final int DEFAULT = 100;

    private final Tenants tenants;
    private final WayOut ways;

    EgressHandlers(Tenants tenants, WayOut ways) {
        this.tenants = tenants;
        this.ways = ways;
    }

    void get(Call call) {
        call.json(200, Forms.EGRESS_SHOWN.bytes(tenants.of(call.caller()).get(call.sandbox()).spec().egress()));
    }

    /// The secrets stay: they were made with the sandbox, whose variables hold their placeholders.
    void put(Call call) throws IOException, InterruptedException {
        SandboxId id = call.sandbox();
        JsonObject in = call.json();
        EgressRequest asked = EgressRequest.read(in, ways, false);
        in.end();
        var sandboxes = tenants.of(call.caller());
        SandboxSpec spec = sandboxes.get(id).spec();
        Egress before = spec.egress();
        Egress now = ways.compose(asked.layer(), asked.budget().orElse(before.budget()), before.secrets(), spec.tenant(), spec.template());
        call.json(200, Forms.EGRESS_SHOWN.bytes(sandboxes.setEgress(id, now).spec().egress()));
    }

    void flows(Call call) throws IOException, InterruptedException {
        long after = call.query().whole("after", 0, Long.MAX_VALUE, 0);
        int limit = (int) call.query().whole("limit", 1, MAX, DEFAULT);
        var flows = tenants.of(call.caller()).flows(call.sandbox(), after, limit);
        call.largeJson(out -> Json.writeList(out, "flows", flows, Forms.FLOW));
    }
}
