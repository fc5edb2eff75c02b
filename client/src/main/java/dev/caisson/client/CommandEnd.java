package dev.caisson.client;

import java.time.Duration;

/// How a command ended.
///
/// @param status as a shell would give it: 0 to 255; 128 + signal when a signal ended it; 124 timed out; 137 killed for memory
/// @param wall from start to end, as the node saw it
/// @param cpu of the command and its children, as the guest reports it
public record CommandEnd(Outcome outcome, int status, Duration wall, Duration cpu) {
    /// What ended a command.
    public enum Outcome {
        /// It returned by itself.
        EXITED,
        /// A signal that nobody outside sent.
        SIGNALED,
        /// Its timeout was over.
        TIMED_OUT,
        /// It, or the whole sandbox, went over the memory limit.
        OUT_OF_MEMORY,
        /// It wrote more than its output limit.
        OUTPUT_LIMIT,
        /// A caller ended it.
        KILLED,
        /// The sandbox went away under it.
        SANDBOX_GONE;

        public String label() {
            return Words.label(this);
        }
    }

    static CommandEnd of(Json.Obj json) {
        return Answers.read(json, () -> new CommandEnd(
                Words.parse(Outcome.class, json.text("outcome")), (int) json.whole("status"), Words.millis(json, "wall_ms"), Words.millis(json, "cpu_ms")));
    }
}
