package dev.caisson.json;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import tools.jackson.core.JsonGenerator;

final class SandboxSpecForm implements Form<SandboxSpec> {
    @Override
    public void writeKeys(SandboxSpec value, JsonGenerator out) {
        out.writeStringProperty("template", value.template().value());
        out.writeStringProperty("trust", value.trust().label());
        out.writeStringProperty("tier", value.tier().label());
        Forms.LIMITS.writeKeys(value.limits(), out);
        Json.writeSeconds(out, "lease_seconds", value.lease());
        Json.writeMap(out, "env", value.env());
        Json.writeMap(out, "labels", value.labels());
        out.writeStringProperty("tenant", value.tenant());
        if (!value.idempotencyKey().isEmpty()) {
            out.writeStringProperty("idempotency_key", value.idempotencyKey());
        }
        out.writeStringProperty("on_lease_end", Json.label(value.onLeaseEnd()));
        out.writeBooleanProperty("public_ports", value.publicPorts());
    }

    @Override
    public SandboxSpec readKeys(JsonObject in) {
        return new SandboxSpec(
                new TemplateName(in.text("template")),
                Trust.parse(in.text("trust")),
                Tier.parse(in.text("tier")),
                Forms.LIMITS.readKeys(in),
                in.seconds("lease_seconds").orElseThrow(() -> in.missing("lease_seconds")),
                in.map("env"),
                in.map("labels"),
                in.text("tenant", SandboxSpec.DEFAULT_TENANT),
                in.text("idempotency_key", ""),
                in.has("on_lease_end") ? in.word("on_lease_end", SandboxSpec.OnLeaseEnd.class) : SandboxSpec.OnLeaseEnd.DELETE,
                in.truth("public_ports", false),
                Egress.NONE);
    }
}
