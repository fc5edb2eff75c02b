package dev.caisson.node;

import dev.caisson.egress.GatewayLink;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Drivers;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.random.RandomGenerator;

/// What every keeper of this machine stands on.
///
/// @param random unpredictable
record Machine(Home home, Journal journal, Teardown teardown, Cgroups cgroups, Drivers drivers, Uptime uptime, Alarms alarms, InstantSource clock, RandomGenerator random, Duration maxPaused, Plugs plugs, GatewayLink gateway) {
    /// The place of a new sandbox.
    ///
    /// @param plug one of its own
    Boot boot(SandboxId id, SandboxSpec spec, Boot.Content content, int slot, Path plug) {
        return new Boot(id, spec, home.sandbox(id.value()), home.cgroup(id.value()), home.agentSocket(id.value()), slot, plug, content);
    }

    static void makeDirectory(Boot boot) throws IOException {
        // 0711: the wall's own user (a mapped one, for containers) must reach what is mounted below, nobody needs to list it.
        Files.createDirectory(boot.directory(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
    }
}
