package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandSpec;
import java.util.List;
import tools.jackson.core.JsonGenerator;

final class CommandSpecForm implements Form<CommandSpec> {
    @Override
    public void writeKeys(CommandSpec value, JsonGenerator out) {
        Json.writeTexts(out, "argv", value.argv());
        Json.writeMap(out, "env", value.env());
        out.writeStringProperty("cwd", value.cwd());
        out.writeStringProperty("user", value.user());
        value.terminal().ifPresent(size -> {
            out.writeName("terminal");
            Forms.TERMINAL_SIZE.write(size, out);
        });
        Json.writeMillis(out, "timeout_ms", value.timeout());
        out.writeNumberProperty("output_limit_bytes", value.outputLimit().bytes());
        out.writeBooleanProperty("stdin", value.stdin());
        out.writeStringProperty("tag", value.tag());
        out.writeStringProperty("unread", Json.label(value.unread()));
        out.writeBooleanProperty("batched", value.batched());
    }

    @Override
    public CommandSpec readKeys(JsonObject in) {
        return new CommandSpec(
                in.texts("argv").orElse(List.of()),
                in.map("env"),
                in.text("cwd", ""),
                in.text("user", ""),
                in.objectOr("terminal", Forms.TERMINAL_SIZE),
                in.millis("timeout_ms").orElse(CommandSpec.DEFAULT_TIMEOUT),
                in.wholeOr("output_limit_bytes", 0, Long.MAX_VALUE).map(ByteSize::new).orElse(CommandSpec.DEFAULT_OUTPUT_LIMIT),
                in.truth("stdin", false),
                in.text("tag", ""),
                in.has("unread") ? in.word("unread", CommandSpec.Unread.class) : CommandSpec.Unread.HOLD,
                in.truth("batched", false));
    }
}
