package dev.caisson.runtime.qemu;

import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.MicrovmContractTest;
import dev.caisson.runtime.microvm.Vmm;
import dev.caisson.sandbox.DriverName;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Supplier;

/// What every driver must do, on KVM; skipped with the reason where KVM does not boot a Linux guest.
class QemuDriverTest extends MicrovmContractTest {
    @Override
    protected Vmm vmm(TestMachine machine, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest) {
        return new QemuVmm(DriverName.QEMU, Path.of("/usr/bin/qemu-system-x86_64"), machine.cgroups, kvm, guest);
    }
}
