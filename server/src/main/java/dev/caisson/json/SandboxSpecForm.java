package dev.caisson.json;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import tools.jackson.core.JsonGenerator;

final class SandboxSpecForm implements Form<SandboxSpec> {
    private final boolean inside;
    private final Form<Egress> egress;

    /// @param inside with sealed secrets, and with what others than the request allow
    SandboxSpecForm(boolean inside) {
        this.inside = inside;
        this.egress = inside ? Forms.EGRESS : Forms.EGRESS_ASKED;
    }

    @Override
    public void writeKeys(SandboxSpec value, JsonGenerator out) {
        out.writeStringProperty("template", value.template().value());
        out.writeStringProperty("trust", value.trust().label());
        out.writeStringProperty("tier", value.tier().label());
        DriverKeys.write(value.driver(), out);
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
        var secrets = value.egress().secrets();
        // Said to nobody outside who did not ask for it: it is what a sandbox has anyway.
        if (inside || !secrets.isEmpty() || value.egress().layers().getFirst().mode() != EgressLayer.Mode.NONE) {
            out.writeName("egress");
            egress.write(value.egress(), out);
        }
        if (!inside && !secrets.isEmpty()) {
            Json.writeList(out, "secrets", secrets, Forms.SECRET_SHOWN);
        }
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
                in.objectOr("egress", egress).orElse(Egress.NONE),
                DriverKeys.read(in));
    }
}
