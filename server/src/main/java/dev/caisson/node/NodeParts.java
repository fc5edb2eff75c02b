package dev.caisson.node;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.host.Reclaimer;
import dev.caisson.image.Images;
import dev.caisson.runtime.Drivers;
import java.time.Duration;
import java.time.InstantSource;
import java.util.random.RandomGenerator;

/// What a node is put together from.
///
/// @param random for ids; must be unpredictable
/// @param maxPaused a sandbox that has been paused for so long is deleted
/// @param standbys machines made ahead of each kind that was asked for lately; 0 to [#MAX_STANDBYS]
public record NodeParts(Home home, Cgroups cgroups, Reclaimer reclaimer, Images images, Drivers drivers, InstantSource clock, RandomGenerator random, Duration maxPaused, int standbys) {
    public static final Duration MAX_PAUSED = Duration.ofHours(24);
    public static final int MAX_STANDBYS = 16;

    public NodeParts {
        if (standbys < 0 || standbys > MAX_STANDBYS) {
            throw new IllegalArgumentException("standbys are 0 to " + MAX_STANDBYS + ", got " + standbys);
        }
    }
}
