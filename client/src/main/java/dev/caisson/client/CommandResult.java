package dev.caisson.client;

import java.nio.charset.StandardCharsets;
import java.time.Duration;

/// What a command did, with its output.
///
/// @param stdout as the command wrote it, from its start; the array is yours
/// @param truncated true when an output was longer than the [Sandbox#KEPT_OUTPUT] that is kept of each
public record CommandResult(CommandEnd end, byte[] stdout, byte[] stderr, boolean truncated) {
    public int status() {
        return end.status();
    }

    public CommandEnd.Outcome outcome() {
        return end.outcome();
    }

    public Duration wall() {
        return end.wall();
    }

    /// Standard output read as UTF-8; what is not is shown as U+FFFD.
    public String stdoutText() {
        return new String(stdout, StandardCharsets.UTF_8);
    }

    public String stderrText() {
        return new String(stderr, StandardCharsets.UTF_8);
    }
}
