package dev.caisson.runtime.firecracker;

import dev.caisson.host.Child;
import dev.caisson.json.Json;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/// Boots our guest in a Firecracker without a jail: the guest is ours, and runs nothing but our own /init for a moment.
///
/// It ends with the thread that asks. One that does not come up in time is an answer too: a KVM that has to emulate what it should run may take minutes.
record KvmTrial(Path firecracker, GuestKernel guest, String home, Duration bound) implements KvmProbe.Trial {
    private static final int MEMORY_MIB = 256;

    @Override
    public Optional<String> run(Path scratch) throws IOException, InterruptedException {
        var configuration = Files.write(scratch.resolve("machine.json"), Json.object(out -> {
            out.writeObjectPropertyStart("boot-source");
            out.writeStringProperty("kernel_image_path", guest.vmlinux().toString());
            out.writeStringProperty("initrd_path", guest.initramfs().toString());
            out.writeStringProperty("boot_args", guest.commandLine(home) + " console=ttyS0 " + KvmProbe.PARAMETER);
            out.writeEndObject();
            out.writeObjectPropertyStart("machine-config");
            out.writeNumberProperty("vcpu_count", 1);
            out.writeNumberProperty("mem_size_mib", MEMORY_MIB);
            out.writeEndObject();
            out.writeArrayPropertyStart("drives");
            out.writeEndArray();
        }));
        var console = scratch.resolve("console");
        long start = System.nanoTime();
        try {
            Child.of(console, "setpriv", "--pdeathsig", "KILL", "--", firecracker.toString(), "--no-api", "--config-file", configuration.toString()).run(bound);
        } catch (IOException e) {
            if (System.nanoTime() - start < bound.toNanos()) {
                throw e;
            }
            return Optional.of("KVM cannot run a guest here: a Firecracker's guest did not come up within " + bound.toSeconds() + " s");
        }
        return KvmProbe.judge(console, console);
    }
}
