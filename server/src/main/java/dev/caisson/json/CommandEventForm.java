package dev.caisson.json;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import java.nio.ByteBuffer;
import tools.jackson.core.JsonGenerator;

final class CommandEventForm implements Form<CommandEvent> {
    private enum Event {
        STARTED,
        OUTPUT,
        ENDED
    }

    @Override
    public void writeKeys(CommandEvent value, JsonGenerator out) {
        switch (value) {
            case CommandEvent.Started(CommandId id, int pid) -> {
                out.writeStringProperty("event", Json.label(Event.STARTED));
                out.writeStringProperty("id", id.value());
                out.writeNumberProperty("pid", pid);
            }
            case CommandEvent.Output(CommandEvent.Channel channel, long offset, ByteBuffer _) -> {
                out.writeStringProperty("event", Json.label(Event.OUTPUT));
                out.writeStringProperty("channel", Json.label(channel));
                out.writeNumberProperty("offset", offset);
            }
            case CommandEvent.Ended(var result) -> {
                out.writeStringProperty("event", Json.label(Event.ENDED));
                out.writeName("result");
                Forms.COMMAND_RESULT.write(result, out);
            }
        }
    }

    @Override
    public CommandEvent readKeys(JsonObject in) {
        return switch (in.word("event", Event.class)) {
            case STARTED -> new CommandEvent.Started(new CommandId(in.text("id")), in.whole("pid", 0, Integer.MAX_VALUE));
            case OUTPUT -> new CommandEvent.Output(in.word("channel", CommandEvent.Channel.class), in.whole("offset", 0, Long.MAX_VALUE), ByteBuffer.allocate(0));
            case ENDED -> new CommandEvent.Ended(in.object("result", Forms.COMMAND_RESULT));
        };
    }
}
