package dev.caisson.sandbox;

import java.time.Duration;

/// What a sandbox used, measured by the host.
///
/// @param peakMemory most memory held at one time
/// @param cpu CPU time in all
public record Usage(ByteSize peakMemory, Duration cpu) {
    public static final Usage NONE = new Usage(new ByteSize(0), Duration.ZERO);
}
