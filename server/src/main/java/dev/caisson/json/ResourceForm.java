package dev.caisson.json;

import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import tools.jackson.core.JsonGenerator;

final class ResourceForm implements Form<Resource> {
    @Override
    public void writeKeys(Resource value, JsonGenerator out) {
        out.writeStringProperty("kind", Json.label(value.kind()));
        out.writeStringProperty("name", value.name());
    }

    @Override
    public Resource readKeys(JsonObject in) {
        return new Resource(in.word("kind", ResourceKind.class), in.text("name"));
    }
}
