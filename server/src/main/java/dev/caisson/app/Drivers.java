package dev.caisson.app;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.runtime.Driver;
import dev.caisson.runtime.container.ContainerDriver;
import dev.caisson.runtime.gvisor.GvisorDriver;
import dev.caisson.sandbox.Tier;
import java.util.Map;

/// The drivers of an installation, one per tier.
final class Drivers {
    private Drivers() {}

    static Map<Tier, Driver> of(Home home, Cgroups cgroups) {
        var agent = home.bin().resolve("caisson-agent");
        return Map.of(
                Tier.GVISOR, new GvisorDriver(home.bin().resolve("runsc"), agent, cgroups),
                Tier.CONTAINER, new ContainerDriver(agent, cgroups, home));
    }
}
