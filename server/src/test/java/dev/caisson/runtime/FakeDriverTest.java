package dev.caisson.runtime;

import dev.caisson.sandbox.Tier;

class FakeDriverTest extends DriverContractTest {
    @Override
    protected Driver driver(TestMachine machine) {
        return new FakeDriver(Tier.GVISOR, machine.agent, machine.cgroups);
    }

    @Override
    protected boolean hasWall() {
        return false;
    }
}
