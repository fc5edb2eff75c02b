package dev.caisson.runtime.firecracker;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.HostFacts;
import dev.caisson.host.NetworkNamespace;
import dev.caisson.host.Tap;
import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.microvm.DeviceRates;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;

/// Machines for tests of Firecracker, with everything around them that a driver would have made.
final class Lab {
    static final Path PROGRAMS_AT = Path.of("/var/cache/caisson-test/firecracker");
    static final Programs PROGRAMS = new Programs(PROGRAMS_AT.resolve("firecracker"), PROGRAMS_AT.resolve("jailer"));
    static final ByteSize MEMORY = ByteSize.mib(128);
    private static final int FIRST_USER = 0x3000_7000;

    final TestMachine machine;
    final Path guests;
    private final List<AutoCloseable> open = new ArrayList<>();
    private final Map<Vm, GuestKernel> kernels = new HashMap<>();
    private int count;

    private Lab(TestMachine machine) throws IOException {
        this.machine = machine;
        this.guests = Files.createDirectory(machine.home.path().resolve("guests"));
    }

    /// Why such tests cannot run here; empty when they can.
    static Optional<String> unfit() throws IOException, InterruptedException {
        var missing = TestMachine.unfit();
        return missing.isPresent() ? missing : unfitHost();
    }

    static Optional<String> unfitHost() throws IOException, InterruptedException {
        var missing = KvmProbe.missing();
        if (missing.isPresent()) {
            return missing;
        }
        if (!Files.exists(Path.of("/dev/net/tun"))) {
            return Optional.of("no /dev/net/tun");
        }
        var programs = PROGRAMS.unfit();
        return programs.map(why -> why + " (deploy/firecracker-for-tests.bash " + PROGRAMS_AT + ")");
    }

    static Lab open() throws IOException, InterruptedException {
        return new Lab(TestMachine.open());
    }

    GuestKernel kernel(String name, TinyGuest guest) throws IOException {
        var initramfs = guests.resolve("initramfs");
        if (!Files.exists(initramfs)) {
            Files.write(initramfs, new byte[4096]);
        }
        return new GuestKernel(guest.writeTo(guests.resolve(name)), initramfs, HostFacts.gather().kernel() + name, "0-tiny");
    }

    /// A machine that is not started, its agent's socket listening.
    Vm vm(GuestKernel kernel) throws IOException, InterruptedException {
        return vm(kernel, DeviceRates.DEFAULT);
    }

    /// What that machine is to boot.
    GuestKernel kernel(Vm vm) {
        return Objects.requireNonNull(kernels.get(vm));
    }

    Vm vm(GuestKernel kernel, DeviceRates rates) throws IOException, InterruptedException {
        int user = FIRST_USER + count;
        var name = String.format("vm%018d", count++);
        var directory = machine.home.sandbox(name);
        Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        var network = new NetworkNamespace(directory.resolve("net"));
        network.create();
        var tap = Tap.make(network.path(), user, OptionalLong.empty());
        var disk = directory.resolve("disk");
        try (var file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.setLength(64 << 20);
        }
        own(disk, user);
        var cgroup = machine.home.cgroup(name);
        machine.cgroups.create(cgroup, new CgroupLimits(2000, ByteSize.mib(512), 64));
        Files.createDirectory(directory.resolve("door"));
        var vm = new Vm(name, directory, cgroup, user, network.path(), tap.name(), machine.home.agentSocket(name), machine.image.file(), disk,
                new Vm.Shape(1, MEMORY, ByteSize.mib(64)), rates);
        kernels.put(vm, kernel);
        listen(vm);
        return vm;
    }

    /// What a node does that starts, perhaps again.
    ServerSocketChannel listen(Vm vm) throws IOException {
        Files.deleteIfExists(vm.agentSocket());
        var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        open.add(listener);
        listener.bind(UnixDomainSocketAddress.of(vm.agentSocket()));
        Files.setPosixFilePermissions(vm.agentSocket(), PosixFilePermissions.fromString("rw-------"));
        own(vm.agentSocket(), vm.user());
        return listener;
    }

    private static void own(Path file, int user) throws IOException {
        Files.setAttribute(file, "unix:uid", user);
        Files.setAttribute(file, "unix:gid", user);
    }

    /// Firecracker whose guests' serial port is ours.
    FirecrackerVmm vmm(Serial serial) {
        return new FirecrackerVmm(PROGRAMS, machine.cgroups, probe(), Optional::empty, serial.console());
    }

    /// As a node has it: nobody hears the serial port.
    FirecrackerVmm vmm() {
        return new FirecrackerVmm(PROGRAMS.firecracker(), PROGRAMS.jailer(), machine.cgroups, probe(), Optional::empty);
    }

    KvmProbe probe() {
        return new KvmProbe(machine.home.path().resolve("kvm"));
    }

    Serial serial() throws IOException {
        var serial = Serial.open(Files.createTempDirectory(guests, "serial"));
        open.add(serial);
        return serial;
    }

    /// The one process of a machine.
    int pid(Vm vm) {
        var all = machine.cgroups.processes(vm.cgroup());
        if (all.size() != 1) {
            throw new AssertionError("not one process but " + all);
        }
        return all.getFirst();
    }

    /// All that a driver would declare.
    static List<Resource> resources(Vm vm) {
        return List.of(
                new Resource(ResourceKind.DIRECTORY, vm.directory().toString()),
                new Resource(ResourceKind.SOCKET, vm.agentSocket().toString()),
                new Resource(ResourceKind.CGROUP, vm.cgroup()),
                new Resource(ResourceKind.NETWORK_NAMESPACE, vm.network().toString()),
                new Resource(ResourceKind.PROCESSES, vm.cgroup()));
    }

    List<Receipt.Check> release(Vm vm) throws InterruptedException {
        var checks = new ArrayList<Receipt.Check>();
        for (Resource resource : resources(vm).reversed()) {
            checks.add(machine.reclaimer.release(resource));
        }
        return checks;
    }

    void closeOpen() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        open.clear();
    }

    void close() throws Exception {
        closeOpen();
        machine.close();
    }
}
