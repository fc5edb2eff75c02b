package dev.caisson.runtime.container;

import dev.caisson.runtime.Driver;
import dev.caisson.runtime.DriverContractTest;
import dev.caisson.runtime.TestMachine;

class ContainerDriverTest extends DriverContractTest {
    @Override
    protected Driver driver(TestMachine machine) {
        return new ContainerDriver(machine.agent, machine.cgroups, machine.home);
    }
}
