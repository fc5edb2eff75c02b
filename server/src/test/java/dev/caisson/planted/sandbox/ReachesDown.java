package dev.caisson.planted.sandbox;

import dev.caisson.planted.host.Thing;

/// Breaks the rule that arrows go one way.
public record ReachesDown(Thing thing) {}
