package dev.caisson.runtime;

import dev.caisson.sandbox.DriverName;

class FakeDriverTest extends DriverContractTest {
    @Override
    protected Driver driver(TestMachine machine) {
        return new FakeDriver(DriverName.GVISOR, machine.agent, machine.cgroups);
    }

    @Override
    protected boolean hasWall() {
        return false;
    }
}
