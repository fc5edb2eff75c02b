package dev.caisson.client;

import java.time.Duration;

/// What a sandbox used, measured by the host.
///
/// @param peakMemory bytes held at one time, at most
/// @param cpu CPU time in all
public record Usage(long peakMemory, Duration cpu) {
    static Usage of(Json.Obj json) {
        return Answers.read(json, () -> new Usage(json.whole("peak_memory_bytes"), Words.millis(json, "cpu_ms")));
    }
}
