package dev.caisson.edge;

import java.time.Duration;

/// How long and how many.
///
/// @param answer the longest that a server in a sandbox may say nothing while its answer is awaited or under way
/// @param upgraded the longest that nothing may move, either way, on an upgraded connection
/// @param body from when on a request's body must come at [#MIN_BODY_RATE] at least, on average
/// @param connections into one sandbox at a time
public record EdgeLimits(Duration answer, Duration upgraded, Duration body, int connections) {
    /// Unit: bytes a second.
    public static final int MIN_BODY_RATE = 64;
    /// 10 minutes, 15 minutes, 1 minute, 1,000. The link into a sandbox carries 1,024 streams; the rest is for commands and files.
    public static final EdgeLimits DEFAULT = new EdgeLimits(Duration.ofMinutes(10), Duration.ofMinutes(15), Duration.ofMinutes(1), 1_000);
}
