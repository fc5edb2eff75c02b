package dev.caisson.runtime.qemu;

import dev.caisson.runtime.AgentVoice;
import dev.caisson.runtime.Driver;
import dev.caisson.runtime.DriverContractTest;
import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.Voice;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.MicrovmDriver;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

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

    @Override
    protected Voice greet(SocketChannel visitor, Limits limits) throws IOException, InterruptedException {
        return AgentVoice.greet(visitor, limits);
    }

    @Override
    protected boolean killsInside() {
        return true;
    }
}
