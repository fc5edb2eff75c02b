package dev.caisson.sandbox;

import java.time.Duration;

/// How a command ended.
///
/// @param outcome what ended it
/// @param status exit status as a shell would give it: 0 to 255; 128 + signal when a signal ended it; 124 timed out; 137 killed for memory
/// @param wall time from start to end, as the node saw it
/// @param cpu user and system time of the command and its reaped children, as the guest reports it
public record CommandResult(Outcome outcome, int status, Duration wall, Duration cpu) {
    /// What ended a command.
    public enum Outcome {
        /// It returned by itself.
        EXITED,
        /// A signal that was not ours.
        SIGNALED,
        /// Its timeout was over.
        TIMED_OUT,
        /// It, or the whole sandbox, went over the memory limit.
        OUT_OF_MEMORY,
        /// It wrote more than its output limit.
        OUTPUT_LIMIT,
        /// A caller ended it.
        KILLED,
        /// The sandbox went away under it; the status is 137.
        SANDBOX_GONE
    }
}
