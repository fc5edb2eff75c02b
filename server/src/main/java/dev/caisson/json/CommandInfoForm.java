package dev.caisson.json;

import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import tools.jackson.core.JsonGenerator;

final class CommandInfoForm implements Form<CommandInfo> {
    @Override
    public void writeKeys(CommandInfo value, JsonGenerator out) {
        out.writeStringProperty("id", value.id().value());
        Json.writeTexts(out, "argv", value.argv());
        out.writeNumberProperty("pid", value.pid());
        out.writeStringProperty("started_at", value.started().toString());
        value.result().ifPresent(result -> {
            out.writeName("result");
            Forms.COMMAND_RESULT.write(result, out);
        });
        out.writeStringProperty("cwd", value.cwd());
        Json.writeMap(out, "env", value.env());
        out.writeStringProperty("tag", value.tag());
        out.writeBooleanProperty("terminal", value.terminal());
    }

    @Override
    public CommandInfo readKeys(JsonObject in) {
        return new CommandInfo(
                new CommandId(in.text("id")),
                in.texts("argv").orElseThrow(() -> in.missing("argv")),
                in.whole("pid", 0, Integer.MAX_VALUE),
                in.time("started_at"),
                in.objectOr("result", Forms.COMMAND_RESULT),
                in.text("cwd", ""),
                in.map("env"),
                in.text("tag", ""),
                in.truth("terminal", false));
    }
}
