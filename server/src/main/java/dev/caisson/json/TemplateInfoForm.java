package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import tools.jackson.core.JsonGenerator;

final class TemplateInfoForm implements Form<TemplateInfo> {
    @Override
    public void writeKeys(TemplateInfo value, JsonGenerator out) {
        out.writeStringProperty("name", value.name().value());
        value.digest().ifPresent(digest -> out.writeStringProperty("digest", digest));
        out.writeNumberProperty("size_bytes", value.size().bytes());
        out.writeName("limits");
        Forms.LIMITS.write(value.limits(), out);
        out.writeStringProperty("start", value.start());
        out.writeNumberProperty("ready_port", value.readyPort());
    }

    @Override
    public TemplateInfo readKeys(JsonObject in) {
        return new TemplateInfo(
                new TemplateName(in.text("name")),
                in.textOr("digest"),
                new ByteSize(in.whole("size_bytes", 0, Long.MAX_VALUE)),
                in.object("limits", Forms.LIMITS),
                in.text("start"),
                in.whole("ready_port", 0, 65_535));
    }
}
