package dev.caisson.app;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.runtime.Drivers;
import dev.caisson.runtime.container.ContainerDriver;
import dev.caisson.runtime.gvisor.GvisorDriver;
import java.util.List;

/// The drivers of an installation.
final class InstalledDrivers {
    private InstalledDrivers() {}

    static Drivers of(Home home, Cgroups cgroups) {
        var agent = home.bin().resolve("caisson-agent");
        return new Drivers(List.of(new GvisorDriver(home.bin().resolve("runsc"), agent, cgroups), new ContainerDriver(agent, cgroups, home)));
    }
}
