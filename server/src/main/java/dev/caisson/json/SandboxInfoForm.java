package dev.caisson.json;

import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import tools.jackson.core.JsonGenerator;

final class SandboxInfoForm implements Form<SandboxInfo> {
    private final Form<SandboxSpec> spec;

    SandboxInfoForm(Form<SandboxSpec> spec) {
        this.spec = spec;
    }

    @Override
    public void writeKeys(SandboxInfo value, JsonGenerator out) {
        out.writeStringProperty("id", value.id().value());
        out.writeStringProperty("state", Json.label(value.state()));
        out.writeName("spec");
        spec.write(value.spec(), out);
        out.writeStringProperty("image_digest", value.imageDigest());
        out.writeStringProperty("created_at", value.created().toString());
        out.writeStringProperty("expires_at", value.expires().toString());
        out.writeNumberProperty("create_ms", value.createMillis());
    }

    @Override
    public SandboxInfo readKeys(JsonObject in) {
        return new SandboxInfo(
                new SandboxId(in.text("id")),
                in.object("spec", spec),
                in.word("state", SandboxState.class),
                in.text("image_digest"),
                in.time("created_at"),
                in.time("expires_at"),
                in.whole("create_ms", 0, Long.MAX_VALUE));
    }
}
