package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.runtime.AgentVoice;
import dev.caisson.runtime.Driver;
import dev.caisson.runtime.DriverContractTest;
import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.Voice;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Receipt;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/// What every driver must do, by a machine with a kernel of its own, whichever VMM runs it.
public abstract class MicrovmContractTest extends DriverContractTest {
    /// What was found out about KVM, which takes ten seconds where it cannot run a guest.
    private static final Path KVM = Path.of("/var/cache/caisson-test/kvm");

    /// @param guest what is booted to find out whether KVM works
    protected abstract Vmm vmm(TestMachine machine, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest);

    @Override
    protected Driver driver(TestMachine machine) throws IOException {
        var guest = Path.of(Optional.ofNullable(System.getenv("CAISSON_HOME")).orElse("/var/lib/caisson"), "guest");
        Files.createSymbolicLink(machine.home.guest(), guest);
        var vmm = vmm(machine, new KvmProbe(KVM), () -> GuestKernel.find(machine.home.guest()));
        return new MicrovmDriver(vmm, machine.home, machine.cgroups, machine.reclaimer);
    }

    /// The snapshot that all start from.
    @Override
    protected void makeReady() throws Exception {
        release(boot(LIMITS).boot);
    }

    /// The first dies while its snapshot is made.
    @Override
    protected Limits limitsOfDeath(int round) {
        return round == 0 ? new Limits(LIMITS.cpus(), ByteSize.mib(250), LIMITS.processes(), LIMITS.disk(), LIMITS.openFiles()) : LIMITS;
    }

    @Override
    protected Voice greet(SocketChannel visitor, Limits limits) throws IOException, InterruptedException {
        return AgentVoice.greet(visitor, limits);
    }

    @Override
    protected boolean killsInside() {
        return true;
    }

    @Test
    void standsStillWhilePausedAndGoesOn() throws Exception {
        var sandbox = boot(LIMITS);
        sandbox.send("exec timeout 60 sh -c 'while :; do :; done'");
        driver.pause(sandbox.boot);
        driver.pause(sandbox.boot);
        Duration before = machine.cgroups.usage(sandbox.boot.cgroup()).cpu();
        Thread.sleep(300);
        assertThat(machine.cgroups.usage(sandbox.boot.cgroup()).cpu().minus(before)).isLessThan(Duration.ofMillis(30));
        driver.resume(sandbox.boot);
        driver.resume(sandbox.boot);
        assertThat(sandbox.run("echo alive").text()).isEqualTo("alive\n");
        driver.pause(sandbox.boot);
        assertThat(release(sandbox.boot)).as("one that stands still is released too").allMatch(Receipt.Check::gone);
    }
}
