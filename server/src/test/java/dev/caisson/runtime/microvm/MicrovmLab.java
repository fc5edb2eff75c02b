package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Child;
import dev.caisson.host.Sha256;
import dev.caisson.runtime.AgentVoice;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Booted;
import dev.caisson.runtime.Driver;
import dev.caisson.runtime.HostSnapshot;
import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.Voice;
import dev.caisson.runtime.WarmUp;
import dev.caisson.runtime.qemu.QemuVmm;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/// Sandboxes in emulated machines, with the real agent, on an installation of their own.
final class MicrovmLab {
    static final Limits LIMITS = new Limits(new Cpus(1000), ByteSize.mib(256), 64, ByteSize.mib(64), 1024);
    private static final Path QEMU = Path.of("/usr/bin/qemu-system-x86_64");
    private static final Path GUEST = Path.of(System.getenv().getOrDefault("CAISSON_HOME", "/var/lib/caisson")).resolve("guest");
    private static final Path SOURCES = Path.of("src/test/resources/dev/caisson/runtime/microvm");

    final TestMachine machine;
    final QemuVmm vmm;
    private final Random random = new Random();
    private final HostSnapshot before;
    private final List<Booted> open = new ArrayList<>();
    private final Map<SandboxId, AgentVoice> voices = new HashMap<>();
    private final List<Boot> planned = new ArrayList<>();
    private int slot;

    MicrovmLab() throws IOException, InterruptedException {
        machine = TestMachine.open();
        Files.createSymbolicLink(machine.home.guest(), GUEST);
        vmm = new QemuVmm(DriverName.QEMU_TCG, QEMU, machine.cgroups, new KvmProbe(machine.home.run().resolve("kvm")), () -> GuestKernel.find(machine.home.guest()));
        before = HostSnapshot.take(machine.home);
    }

    /// Why machines cannot run here; empty when they can.
    static Optional<String> unfit() {
        return TestMachine.unfit().or(() -> GuestKernel.unfit(GUEST)).or(() -> new QemuVmm(DriverName.QEMU_TCG, QEMU, Cgroups.detect(), new KvmProbe(Path.of("/nowhere")), Optional::empty).unfit());
    }

    /// Like a node that has just started: nothing is in its memory.
    MicrovmDriver driver() {
        return driver(vmm);
    }

    MicrovmDriver driver(Vmm vmm) {
        return new MicrovmDriver(vmm, machine.home, machine.cgroups, machine.reclaimer);
    }

    MicrovmDriver driver(Duration hello) {
        return new MicrovmDriver(vmm, machine.home, machine.cgroups, machine.reclaimer, hello);
    }

    /// What guests boot from now on: the installation's kernel, and a first process of the test's.
    void bootInstead(String init) throws IOException, InterruptedException {
        Path log = machine.home.path().resolve("make.log");
        Path directory = Files.createTempDirectory(machine.home.path(), "guest-");
        compile(init, directory.resolve("init"));
        Child.of(log, "/bin/sh", "-c", "cd \"$1\" && echo init | cpio --quiet -o -H newc > initramfs", "make", directory.toString()).mustRun(Duration.ofMinutes(1));
        Path kernel = Files.createSymbolicLink(directory.resolve("vmlinux"), GUEST.resolve("vmlinux").toRealPath());
        Files.writeString(directory.resolve("manifest"), "kernel 6.1\nvmlinux " + Sha256.of(kernel) + "\ninitramfs " + Sha256.of(directory.resolve("initramfs")) + "\n");
        Files.delete(machine.home.guest());
        Files.createSymbolicLink(machine.home.guest(), directory);
    }

    void bootAsBefore() throws IOException {
        Files.delete(machine.home.guest());
        Files.createSymbolicLink(machine.home.guest(), GUEST);
    }

    /// @param source name of a C file
    void compile(String source, Path program) throws IOException, InterruptedException {
        Child.of(machine.home.path().resolve("make.log"), "cc", "-O2", "-s", "-static", "-o", program.toString(), SOURCES.resolve(source).toAbsolutePath().toString()).mustRun(Duration.ofMinutes(1));
    }

    Boot plan(Limits limits) {
        return plan(limits, Optional.empty());
    }

    Boot plan(Limits limits, Optional<WarmUp> warmUp) {
        var id = SandboxId.random(random);
        var spec = new SandboxSpec(SandboxSpec.defaults().template(), Trust.UNTRUSTED, Tier.MICROVM, limits, Duration.ofMinutes(1), Map.of(), Map.of());
        var boot = new Boot(id, spec, machine.home.sandbox(id.value()), machine.home.cgroup(id.value()), machine.home.agentSocket(id.value()), slot++,
                machine.home.sandbox(id.value()).resolve("net"), new Boot.Content(machine.image, warmUp, List.of()));
        planned.add(boot);
        return boot;
    }

    Booted boot(Driver driver) throws IOException, InterruptedException {
        return boot(driver, plan(LIMITS));
    }

    Booted boot(Driver driver, Boot boot) throws IOException, InterruptedException {
        var booted = Booted.boot(driver, boot, visitor -> {
            var voice = AgentVoice.greet(visitor, boot.spec().limits());
            voices.put(boot.id(), voice);
            return voice;
        });
        open.add(booted);
        return booted;
    }

    /// Puts a program of the test's into the guest.
    ///
    /// @param source name of a C file
    void give(Booted booted, String source, String path) throws IOException, InterruptedException {
        var program = machine.home.path().resolve(source + ".program");
        if (!Files.exists(program)) {
            compile(source, program);
        }
        Optional.ofNullable(voices.get(booted.boot.id())).orElseThrow().put(program, path);
    }

    /// Boots one that does what every sandbox does, and lets it go.
    void requireThatOneComesUp(Driver driver) throws IOException, InterruptedException {
        var booted = boot(driver);
        assertThat(booted.run("echo up")).isEqualTo(new Voice.Answer("up\n", 0));
        release(driver, booted.boot);
    }

    void release(Driver driver, Boot boot) throws InterruptedException {
        for (var resource : driver.resources(boot).reversed()) {
            assertThat(machine.reclaimer.release(resource)).matches(Receipt.Check::gone);
        }
    }

    /// Of all that machines held, and those that were to become snapshots.
    void requireNothingLeft() throws IOException, InterruptedException {
        releaseAll();
        assertThat(HostSnapshot.take(machine.home).since(before).things()).isEmpty();
        if (Files.exists(machine.home.snapshots())) {
            assertThat(snapshots(".new")).isEmpty();
        }
    }

    private void releaseAll() throws IOException, InterruptedException {
        for (Booted one : open) {
            one.close();
        }
        open.clear();
        voices.clear();
        for (Boot boot : planned) {
            release(driver(), boot);
        }
        planned.clear();
    }

    /// Kept snapshots, whole or refused.
    List<Path> snapshots(String ending) throws IOException {
        try (var all = Files.list(machine.home.snapshots())) {
            return all.filter(path -> path.toString().endsWith(ending)).toList();
        }
    }

    void close() throws IOException, InterruptedException {
        releaseAll();
        machine.close();
    }
}
