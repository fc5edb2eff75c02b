package dev.caisson.json;

import dev.caisson.sandbox.Failure;
import tools.jackson.core.JsonGenerator;

/// A code that is not known here (from a newer peer) is read as `internal`, with its message.
final class FailureForm implements Form<Failure> {
    @Override
    public void writeKeys(Failure value, JsonGenerator out) {
        out.writeStringProperty("code", value.code().label());
        out.writeStringProperty("message", value.message());
        out.writeStringProperty("remedy", value.remedy());
    }

    @Override
    public Failure readKeys(JsonObject in) {
        return new Failure(Failure.Code.parse(in.text("code")), in.text("message"), in.text("remedy"));
    }
}
