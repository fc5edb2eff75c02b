package dev.caisson.runtime.qemu;

import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;

/// One line of what a QEMU says over QMP (QEMU Machine Protocol, of 7.2). Whoever has taken over a QEMU says what he likes here.
sealed interface Said {
    /// The first line.
    record Greeting() implements Said {}

    /// The answer to a command that was obeyed; none of ours has an answer that matters.
    record Done() implements Said {}

    record Refused(String why) implements Said {}

    /// Status of an event that tells that the guest has opened its port.
    String PORT_OPENED = "opened";

    /// @param name such as `MIGRATION`
    /// @param status of a migration, or of the guest's end of a port; empty for other events
    record Event(String name, String status) implements Said {}

    /// Errors: an [IOException] when it is nothing of the kind.
    static Said read(byte[] line) throws IOException {
        try {
            var object = JsonObject.parse(line);
            if (object.has("event")) {
                var data = object.child("data").orElseGet(JsonObject::empty);
                String name = object.text("event");
                return new Event(name, switch (name) {
                    case "MIGRATION" -> data.text("status");
                    case "VSERPORT_CHANGE" -> data.truth("open") ? PORT_OPENED : "closed";
                    default -> "";
                });
            }
            if (object.names().contains("return")) {
                return new Done();
            }
            if (object.has("error")) {
                return new Refused(Failure.shown(object.child("error").orElseGet(JsonObject::empty).text("desc")));
            }
            if (object.has("QMP")) {
                return new Greeting();
            }
        } catch (SandboxException e) {
            throw new IOException("QEMU's monitor said something that is not QMP: " + e.getMessage(), e);
        }
        throw new IOException("QEMU's monitor said something that is not QMP: " + Failure.shown(String.join(", ", JsonObject.parse(line).names())));
    }
}
