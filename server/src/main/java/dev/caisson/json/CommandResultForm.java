package dev.caisson.json;

import dev.caisson.sandbox.CommandResult;
import tools.jackson.core.JsonGenerator;

final class CommandResultForm implements Form<CommandResult> {
    @Override
    public void writeKeys(CommandResult value, JsonGenerator out) {
        out.writeStringProperty("outcome", Json.label(value.outcome()));
        out.writeNumberProperty("status", value.status());
        Json.writeMillis(out, "wall_ms", value.wall());
        Json.writeMillis(out, "cpu_ms", value.cpu());
    }

    @Override
    public CommandResult readKeys(JsonObject in) {
        return new CommandResult(
                in.word("outcome", CommandResult.Outcome.class),
                in.whole("status", 0, 255),
                in.millis("wall_ms").orElseThrow(() -> in.missing("wall_ms")),
                in.millis("cpu_ms").orElseThrow(() -> in.missing("cpu_ms")));
    }
}
