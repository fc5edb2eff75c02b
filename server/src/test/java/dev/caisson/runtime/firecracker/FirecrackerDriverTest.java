package dev.caisson.runtime.firecracker;

import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.MicrovmContractTest;
import dev.caisson.runtime.microvm.Vmm;
import java.util.Optional;
import java.util.function.Supplier;

/// What every driver must do, by Firecracker; skipped with the reason where KVM does not boot a Linux guest.
class FirecrackerDriverTest extends MicrovmContractTest {
    @Override
    protected Vmm vmm(TestMachine machine, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest) {
        return new FirecrackerVmm(Lab.PROGRAMS_AT.resolve("firecracker"), Lab.PROGRAMS_AT.resolve("jailer"), machine.cgroups, kvm, guest);
    }
}
