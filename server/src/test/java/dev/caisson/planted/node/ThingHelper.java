package dev.caisson.planted.node;

import java.time.Instant;
import java.util.UUID;

/// Breaks the rules on names, child processes, clocks, random numbers and standard streams.
public final class ThingHelper {
    private ThingHelper() {}

    static void all() throws java.io.IOException {
        System.out.println(Instant.now() + " " + UUID.randomUUID());
        new ProcessBuilder("true").start();
    }
}
