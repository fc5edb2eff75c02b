package dev.caisson.app;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Reclaimer;
import dev.caisson.runtime.Drivers;
import dev.caisson.runtime.container.ContainerDriver;
import dev.caisson.runtime.firecracker.FirecrackerVmm;
import dev.caisson.runtime.gvisor.GvisorDriver;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.MicrovmDriver;
import dev.caisson.runtime.microvm.Vmm;
import dev.caisson.runtime.qemu.QemuVmm;
import dev.caisson.sandbox.DriverName;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// The drivers of an installation.
final class InstalledDrivers {
    private InstalledDrivers() {}

    static Drivers of(Home home, Cgroups cgroups) {
        var agent = home.bin().resolve("caisson-agent");
        var kvm = new KvmProbe(home.run().resolve("kvm"));
        Supplier<Optional<GuestKernel>> guest = () -> GuestKernel.find(home.guest());
        var qemu = HostFacts.program("qemu-system-x86_64", HostFacts.PATH).orElse(Path.of("/usr/bin/qemu-system-x86_64"));
        return new Drivers(List.of(
                microvm(new FirecrackerVmm(home.bin().resolve("firecracker"), home.bin().resolve("jailer"), cgroups, kvm, guest), home, cgroups),
                microvm(new QemuVmm(DriverName.QEMU, qemu, cgroups, kvm, guest), home, cgroups),
                microvm(new QemuVmm(DriverName.QEMU_TCG, qemu, cgroups, kvm, guest), home, cgroups),
                new GvisorDriver(home.bin().resolve("runsc"), agent, cgroups),
                new ContainerDriver(agent, cgroups, home)));
    }

    private static MicrovmDriver microvm(Vmm vmm, Home home, Cgroups cgroups) {
        return new MicrovmDriver(vmm, home, cgroups, new Reclaimer(home, cgroups));
    }
}
