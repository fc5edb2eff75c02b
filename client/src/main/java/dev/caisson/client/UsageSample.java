package dev.caisson.client;

import java.time.Instant;

/// What a sandbox used around one moment, and what it may use.
///
/// @param cpus CPU time per second of wall time that it may use
/// @param cpuUsedPercent of one CPU, since the sample before; 0 while it is paused
/// @param memoryUsed bytes, without `memoryCache`
/// @param memoryTotal its limit, in bytes
/// @param memoryCache bytes of files that are only kept in memory
/// @param diskUsed bytes, as the guest's file system says
/// @param diskTotal its limit, in bytes
public record UsageSample(Instant at, double cpus, double cpuUsedPercent, long memoryUsed, long memoryTotal, long memoryCache, long diskUsed, long diskTotal) {
    static UsageSample of(Json.Obj json) {
        return Answers.read(json, () -> new UsageSample(
                Instant.parse(json.text("at")), json.number("cpus"), json.number("cpu_used_percent"), json.whole("memory_used_bytes"), json.whole("memory_total_bytes"),
                json.whole("memory_cache_bytes"), json.whole("disk_used_bytes"), json.whole("disk_total_bytes")));
    }
}
