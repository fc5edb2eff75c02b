package dev.caisson.runtime.gvisor;

import dev.caisson.runtime.Driver;
import dev.caisson.runtime.DriverContractTest;
import dev.caisson.runtime.TestMachine;
import java.nio.file.Path;

class GvisorDriverTest extends DriverContractTest {
    @Override
    protected Driver driver(TestMachine machine) {
        var runsc = Path.of(java.util.Optional.ofNullable(System.getenv("CAISSON_HOME")).orElse("/var/lib/caisson"), "bin", "runsc");
        return new GvisorDriver(runsc, machine.agent, machine.cgroups);
    }
}
