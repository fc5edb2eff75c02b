package dev.caisson.json;

import dev.caisson.sandbox.Receipt;
import tools.jackson.core.JsonGenerator;

/// The keys of the resource, `gone`, and `detail` when there is one.
final class CheckForm implements Form<Receipt.Check> {
    @Override
    public void writeKeys(Receipt.Check value, JsonGenerator out) {
        Forms.RESOURCE.writeKeys(value.resource(), out);
        out.writeBooleanProperty("gone", value.gone());
        if (!value.detail().isEmpty()) {
            out.writeStringProperty("detail", value.detail());
        }
    }

    @Override
    public Receipt.Check readKeys(JsonObject in) {
        return new Receipt.Check(Forms.RESOURCE.readKeys(in), in.truth("gone"), in.text("detail", ""));
    }
}
