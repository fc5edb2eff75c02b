package dev.caisson.runtime.container;

import dev.caisson.runtime.Driver;
import dev.caisson.runtime.DriverContractTest;
import dev.caisson.runtime.TestMachine;
import java.util.List;

/// The runtime that is taken where the first one does not work keeps the same promises.
class RuncDriverTest extends DriverContractTest {
    @Override
    protected Driver driver(TestMachine machine) {
        return new ContainerDriver(machine.agent, machine.cgroups, machine.home, List.of("runc"));
    }
}
