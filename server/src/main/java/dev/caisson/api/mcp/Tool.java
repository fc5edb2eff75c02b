package dev.caisson.api.mcp;

import dev.caisson.json.JsonObject;
import java.util.Map;

/// One thing that a model can do.
///
/// @param description what a model has to know to use it well: what is allowed, what comes back
/// @param input exactly what [Reader] takes
/// @param output of [Result#facts]
/// @param effect what a client may tell the person who is asked to allow the call
record Tool(String name, String title, String description, Schema input, Schema output, Effect effect, Reader reader) {
    /// Takes every argument it knows; what is left over is refused by whoever called it.
    interface Reader {
        Action read(JsonObject arguments);
    }

    /// Does what was asked.
    interface Action {
        Result run(ToolCall call) throws InterruptedException;
    }

    /// @param text for a model to read
    /// @param facts the same for a program
    record Result(String text, Map<String, Object> facts) {}

    enum Effect {
        /// Looks, and changes nothing.
        READS,
        /// Changes something inside a sandbox, or makes one.
        CHANGES,
        /// Ends something that cannot be had back.
        DESTROYS
    }
}
