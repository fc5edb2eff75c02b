package dev.caisson.runtime.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.runtime.AgentVoice;
import dev.caisson.runtime.Driver;
import dev.caisson.runtime.DriverContractTest;
import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.Voice;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.MicrovmDriver;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Receipt;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// What every driver must do, by an emulated machine with a kernel of its own.
class QemuTcgDriverTest extends DriverContractTest {
    @Override
    protected Driver driver(TestMachine machine) throws IOException {
        var guest = Path.of(Optional.ofNullable(System.getenv("CAISSON_HOME")).orElse("/var/lib/caisson"), "guest");
        Files.createSymbolicLink(machine.home.guest(), guest);
        var kvm = new KvmProbe(machine.home.run().resolve("kvm"));
        var qemu = new QemuVmm(DriverName.QEMU_TCG, Path.of("/usr/bin/qemu-system-x86_64"), machine.cgroups, kvm, () -> GuestKernel.find(machine.home.guest()));
        return new MicrovmDriver(qemu, machine.home, machine.cgroups, machine.reclaimer);
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
