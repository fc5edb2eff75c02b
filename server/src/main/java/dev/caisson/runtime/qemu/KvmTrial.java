package dev.caisson.runtime.qemu;

import dev.caisson.host.KvmDevice;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Boots our guest in QEMU on KVM, behind the walls that machines get but in no cgroup: it is ours, and runs nothing but our own /init for a moment. It ends with the thread
/// that asks.
record KvmTrial(Programs programs, CommandLine commandLine, GuestKernel guest, String home) implements KvmProbe.Trial {
    private static final ByteSize MEMORY = ByteSize.mib(256);
    private static final String REFUSED = "KVM cannot run a guest here";
    private static final int MAX_WORDS = 4096;
    /// QEMU says so and leaves the machine standing.
    private static final String BROKEN = "KVM internal error";

    @Override
    public Optional<String> run(Path scratch) throws IOException, InterruptedException {
        var device = scratch.resolve("kvm");
        KvmDevice.make(device, Jail.NOBODY);
        var filter = Files.write(scratch.resolve("calls"), CallFilter.program());
        var jail = Jail.withoutNetwork(programs, Jail.NOBODY, filter)
                .mortal()
                .readable(guest.vmlinux(), CommandLine.KERNEL)
                .readable(guest.initramfs(), CommandLine.INITRAMFS)
                .device(device, "/dev/kvm");
        var command = jail.command(0, "", commandLine.probe(MEMORY, guest.commandLine(home) + " console=ttyS0 " + KvmProbe.PARAMETER));
        try (var vmm = RunningVmm.start(command, Path.of("/dev/null"), List.of())) {
            try {
                return watched(vmm);
            } finally {
                vmm.end();
            }
        }
    }

    private static Optional<String> watched(RunningVmm vmm) throws IOException, InterruptedException {
        long until = System.nanoTime() + KvmProbe.BOUND.toNanos();
        String said = "";
        while (System.nanoTime() < until) {
            boolean ended = vmm.hasEnded();
            said += vmm.words();
            if (said.contains(KvmProbe.SIGN)) {
                return Optional.empty();
            }
            if (ended || said.contains(BROKEN)) {
                return Optional.of(REFUSED + ": " + Failure.shown(said));
            }
            said = said.substring(Math.max(0, said.length() - MAX_WORDS));
            Thread.sleep(1);
        }
        return Optional.of(REFUSED + ": it did not come up within " + KvmProbe.BOUND.toSeconds() + " s: " + Failure.shown(said));
    }
}
