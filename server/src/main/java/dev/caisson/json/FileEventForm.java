package dev.caisson.json;

import dev.caisson.sandbox.FileEvent;
import tools.jackson.core.JsonGenerator;

final class FileEventForm implements Form<FileEvent> {
    @Override
    public void writeKeys(FileEvent value, JsonGenerator out) {
        out.writeStringProperty("event", Json.label(value.kind()));
        out.writeStringProperty("path", value.path());
    }

    @Override
    public FileEvent readKeys(JsonObject in) {
        return new FileEvent(in.word("event", FileEvent.Kind.class), in.text("path"));
    }
}
