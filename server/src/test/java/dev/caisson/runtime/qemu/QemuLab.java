package dev.caisson.runtime.qemu;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Child;
import dev.caisson.host.Home;
import dev.caisson.host.HostFacts;
import dev.caisson.host.NetworkNamespace;
import dev.caisson.host.Reclaimer;
import dev.caisson.host.SealedMemory;
import dev.caisson.host.SparseDigest;
import dev.caisson.host.SparseFiles;
import dev.caisson.host.Tap;
import dev.caisson.runtime.microvm.DeviceRates;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// An installation for tests of machines: the kernel of the one at CAISSON_HOME, and a guest whose first process is `init.c`.
final class QemuLab {
    static final Path QEMU = Path.of("/usr/bin/qemu-system-x86_64");
    static final Vm.Shape SHAPE = new Vm.Shape(1, ByteSize.mib(256), ByteSize.mib(64));
    private static final Path GUEST = Path.of(System.getenv().getOrDefault("CAISSON_HOME", "/var/lib/caisson")).resolve("guest");
    private static final Path ROOT = Path.of("/var/cache/caisson-test/root-2.erofs");
    private static final Path INIT = Path.of("src/test/resources/dev/caisson/runtime/qemu/init.c");
    private static final int FIRST_USER = 0x3000_0000 + 0x7000;
    private static final ByteSize OVERHEAD = ByteSize.mib(192);

    final Home home;
    final Cgroups cgroups = Cgroups.detect();
    final GuestKernel guest;
    final QemuVmm vmm;
    private final Reclaimer reclaimer;
    private final List<Vm> machines = new ArrayList<>();
    private final List<Guest> open = new ArrayList<>();
    private int made;

    /// Why machines cannot run here; empty when they can.
    static Optional<String> unfit() {
        for (String program : List.of("cc", "cpio")) {
            if (HostFacts.program(program, "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").isEmpty()) {
                return Optional.of("needs " + program);
            }
        }
        if (!HostFacts.runningAsRoot()) {
            return Optional.of("needs root");
        }
        if (!Files.exists(GUEST.resolve("modules/order"))) {
            return Optional.of("no guest kernel at " + GUEST);
        }
        if (!Files.exists(ROOT)) {
            return Optional.of("no root image at " + ROOT);
        }
        return new QemuVmm(DriverName.QEMU_TCG, QEMU, Cgroups.detect(), new KvmProbe(Path.of("/nowhere")), Optional::empty).unfit();
    }

    QemuLab() throws IOException, InterruptedException {
        home = new Home(Files.createTempDirectory(Path.of("/tmp"), "cq"));
        Files.setPosixFilePermissions(home.path(), PosixFilePermissions.fromString("rwx--x--x"));
        Files.createDirectories(home.sandboxes());
        Files.createDirectories(home.plugs());
        reclaimer = new Reclaimer(home, cgroups);
        guest = guest();
        vmm = vmm(DriverName.QEMU_TCG);
    }

    QemuVmm vmm(DriverName kind) {
        return new QemuVmm(kind, QEMU, cgroups, new KvmProbe(home.run().resolve("kvm")), () -> Optional.of(guest));
    }

    /// The installation's initramfs, and behind it an archive with another /init, which is then the one that counts.
    private GuestKernel guest() throws IOException, InterruptedException {
        var tree = Files.createDirectory(home.path().resolve("initramfs.tree"));
        var log = home.path().resolve("make.log");
        Child.of(log, "cc", "-O2", "-static", "-o", tree.resolve("init").toString(), INIT.toAbsolutePath().toString()).mustRun(Duration.ofMinutes(1));
        var archive = home.path().resolve("initramfs");
        Child.of(log, "/bin/sh", "-c", "cd \"$1\" && echo init | cpio --quiet -o -H newc > \"$2.init\" && cat \"$3\" \"$2.init\" > \"$2\"", "make", tree.toString(), archive.toString(),
                GUEST.resolve("initramfs").toString()).mustRun(Duration.ofMinutes(1));
        return new GuestKernel(GUEST.resolve("vmlinux").toRealPath(), archive, "0".repeat(64), "6.1");
    }

    /// All of a machine but the machine, and the end of its guest's way home.
    Guest make() throws IOException, InterruptedException {
        int number = ++made;
        var directory = home.sandbox("vm" + number);
        int user = FIRST_USER + number;
        Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        var network = home.plugs().resolve("n" + number);
        var vm = new Vm("vm" + number, directory, home.cgroup("vm" + number), user, network, Tap.NAME, home.agentSocket("vm" + number), ROOT, directory.resolve("disk.ext4"), SHAPE,
                DeviceRates.DEFAULT);
        machines.add(vm);
        cgroups.create(vm.cgroup(), new CgroupLimits(2000, ByteSize.mib(SHAPE.memory().bytes() / (1 << 20) + OVERHEAD.bytes() / (1 << 20)), 256));
        new NetworkNamespace(network).create();
        Tap.make(network, user, OptionalLong.empty());
        try (var disk = new RandomAccessFile(vm.disk().toFile(), "rw")) {
            disk.setLength(SHAPE.disk().bytes());
        }
        Files.setPosixFilePermissions(vm.disk(), PosixFilePermissions.fromString("rw-------"));
        Files.setAttribute(vm.disk(), "unix:uid", user);
        var guest = Guest.of(vm);
        open.add(guest);
        return guest;
    }

    /// A machine that was booted, told to keep a number, and frozen.
    Snapshot freeze(int kept) throws IOException, InterruptedException {
        var template = make();
        vmm.start(template.vm(), guest);
        template.awaitHello(Duration.ofSeconds(60));
        template.ask("keep " + kept);
        var memory = home.path().resolve("memory" + made);
        var state = home.path().resolve("state" + made);
        vmm.freeze(template.vm(), template::hangUp, memory, state);
        var disk = home.path().resolve("disk" + made);
        SparseFiles.copy(template.vm().disk(), disk);
        release(template.vm());
        return new Snapshot(Optional.of(SealedMemory.load(memory, SparseDigest.of(memory))), memory, Files.readAllBytes(state), disk);
    }

    /// A copy, as soon as its guest has said hello.
    Guest restore(Snapshot snapshot) throws IOException, InterruptedException {
        var guest = make();
        vmm.restore(guest.vm(), snapshot);
        guest.awaitHello(Duration.ofSeconds(30));
        return guest;
    }

    /// The only process of a running machine.
    int process(Vm vm) {
        var all = cgroups.processes(vm.cgroup());
        if (all.size() != 1) {
            throw new AssertionError("not one process: " + all);
        }
        return all.getFirst();
    }

    void release(Vm vm) throws InterruptedException {
        for (var resource : List.of(
                new Resource(ResourceKind.CGROUP, vm.cgroup()), new Resource(ResourceKind.NETWORK_NAMESPACE, vm.network().toString()),
                new Resource(ResourceKind.DIRECTORY, vm.directory().toString()))) {
            var check = reclaimer.release(resource);
            if (!check.gone()) {
                throw new AssertionError("left: " + check);
            }
        }
        machines.remove(vm);
    }

    void close() throws IOException, InterruptedException {
        for (var each : open) {
            each.close();
        }
        for (Vm vm : List.copyOf(machines)) {
            release(vm);
        }
        cgroups.remove(home.cgroupParent());
        Child.of(Path.of("/dev/null"), "rm", "-rf", "--one-file-system", home.path().toString()).mustRun(Duration.ofMinutes(1));
    }
}
