package dev.caisson.runtime.firecracker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.host.Child;
import dev.caisson.runtime.HostSnapshot;
import dev.caisson.runtime.microvm.DeviceRates;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.sandbox.Receipt;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/// The real Firecracker in its real jail, with guests that even a KVM runs which runs no Linux.
@TestInstance(Lifecycle.PER_CLASS)
class FirecrackerVmmTest {
    private static final String BANNER = "tiny guest is up\n";
    private static final Duration BOUND = Duration.ofSeconds(5);

    private Lab lab;
    private HostSnapshot before;
    private final List<Vm> machines = new ArrayList<>();

    @BeforeAll
    void open() throws Exception {
        var unfit = Lab.unfit();
        assumeThat(unfit).as("skipped: %s", unfit.orElse("")).isEmpty();
        lab = Lab.open();
    }

    @AfterAll
    void close() throws Exception {
        if (lab != null) {
            lab.close();
        }
    }

    @BeforeEach
    void look() throws IOException {
        before = HostSnapshot.take(lab.machine.home);
    }

    /// The leak checker.
    @AfterEach
    void nothingIsLeft() throws Exception {
        for (Vm vm : machines) {
            assertThat(lab.release(vm)).allMatch(Receipt.Check::gone);
        }
        machines.clear();
        lab.closeOpen();
        assertThat(HostSnapshot.take(lab.machine.home).since(before).things()).isEmpty();
    }

    private GuestKernel echo() throws IOException {
        return lab.kernel("echo", TinyGuest.echo(BANNER));
    }

    private Vm vm(GuestKernel kernel) throws Exception {
        var vm = lab.vm(kernel);
        machines.add(vm);
        return vm;
    }

    @Test
    void aGuestStartsAndAnswers() throws Exception {
        var serial = lab.serial();
        var vm = vm(echo());
        lab.vmm(serial).start(vm, lab.kernel(vm));
        serial.await(BANNER);
        serial.say("hello\n");
        serial.await("hello\n");
    }

    @Test
    void everythingSaidOfAMachineArrives() throws Exception {
        var vm = lab.vm(echo(), new DeviceRates(10_000_000, 1_000, 5_000_000));
        machines.add(vm);
        lab.vmm().start(vm, lab.kernel(vm));
        try (var api = FirecrackerApi.connect(new Jail(vm).api(), vm.user(), BOUND)) {
            var said = api.get("/vm/config", BOUND);
            var machine = said.child("machine-config").orElseThrow();
            assertThat(machine.whole("vcpu_count", 1, 32)).isEqualTo(1);
            assertThat(machine.whole("mem_size_mib", 1, 1 << 20)).isEqualTo(128);
            assertThat(machine.truth("smt")).isFalse();
            assertThat(machine.truth("track_dirty_pages")).isFalse();
            assertThat(said.child("boot-source").orElseThrow().text("boot_args")).contains("caisson.home=vsock:1024").contains("8250.nr_uarts=0");
            assertThat(said.child("vsock").orElseThrow().text("uds_path")).isEqualTo("/v");
            assertThat(said.child("entropy").orElseThrow().child("rate_limiter")).isPresent();
            assertThat(said.child("balloon").orElseThrow().truth("deflate_on_oom")).isTrue();
            assertThat(said.names()).contains("drives", "network-interfaces");
        }
    }

    @Test
    void pauseStopsItAndResumeLetsItGoOn() throws Exception {
        var serial = lab.serial();
        var vmm = lab.vmm(serial);
        var vm = vm(echo());
        vmm.start(vm, lab.kernel(vm));
        serial.await(BANNER);

        vmm.pause(vm);
        vmm.pause(vm);
        serial.say("still?\n");
        long used = lab.machine.cgroups.usage(vm.cgroup()).cpu().toMillis();
        Thread.sleep(200);
        assertThat(lab.machine.cgroups.usage(vm.cgroup()).cpu().toMillis() - used).isLessThan(50);
        assertThat(serial.rest()).doesNotContain("still");

        vmm.resume(vm);
        vmm.resume(vm);
        serial.await("still?\n");
    }

    private Snapshot frozen(Vm vm, FirecrackerVmm vmm) throws Exception {
        var directory = Files.createTempDirectory(lab.guests, "snapshot");
        var memory = directory.resolve("memory");
        var state = directory.resolve("state");
        vmm.freeze(vm, () -> {}, memory, state);
        Files.setPosixFilePermissions(memory, PosixFilePermissions.fromString("r--r--r--"));
        return new Snapshot(Optional.empty(), memory, Files.readAllBytes(state), vm.disk());
    }

    @Test
    void aFrozenMachineIsRestoredTwiceAndItsSnapshotStaysAsItWas() throws Exception {
        var serial = lab.serial();
        var vmm = lab.vmm(serial);
        var template = vm(echo());
        vmm.start(template, lab.kernel(template));
        serial.await(BANNER);
        var snapshot = frozen(template, vmm);
        assertThat(lab.machine.cgroups.processes(template.cgroup())).isEmpty();
        assertThat(Files.size(snapshot.memoryFile())).isEqualTo(Lab.MEMORY.bytes());
        assertThat((long) Files.getAttribute(snapshot.memoryFile(), "unix:size")).isEqualTo(Lab.MEMORY.bytes());
        assertThat(new Jail(template).root().resolve(Jail.FROZEN_MEMORY)).doesNotExist();
        long sum = checksum(snapshot.memoryFile());

        for (int i = 0; i < 2; i++) {
            var line = lab.serial();
            lab.vmm(line).restore(vm(echo()), snapshot);
            line.say("clone " + i + "\n");
            line.await("clone " + i + "\n");
        }
        assertThat(checksum(snapshot.memoryFile())).isEqualTo(sum);
    }

    private static long checksum(Path file) throws IOException {
        var sum = new java.util.zip.CRC32C();
        sum.update(Files.readAllBytes(file));
        return sum.getValue();
    }

    @Test
    void theJailHoldsWhatItMust() throws Exception {
        var vm = vm(lab.kernel("idle", TinyGuest.idle(BANNER)));
        lab.vmm().start(vm, lab.kernel(vm));
        new JailFacts(lab.pid(vm), vm).check();
    }

    /// Dialed as Firecracker does for its guest: from inside the jail, as its user.
    @Test
    void aNodeThatListensAgainIsFound() throws Exception {
        assumeThat(Path.of("/usr/bin/python3")).exists();
        var vm = vm(lab.kernel("idle", TinyGuest.idle(BANNER)));
        lab.vmm().start(vm, lab.kernel(vm));
        var fresh = lab.listen(vm);
        var script = "import os, socket, sys; os.chroot('/proc/' + sys.argv[1] + '/root'); os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]));"
                + " s = socket.socket(socket.AF_UNIX); s.connect('/v_1024'); s.sendall(b'home')";
        Child.of(lab.guests.resolve("dial.log"), "/usr/bin/python3", "-c", script, Integer.toString(lab.pid(vm)), Integer.toString(vm.user())).mustRun(BOUND);
        try (var accepted = fresh.accept()) {
            var said = ByteBuffer.allocate(4);
            accepted.read(said);
            assertThat(new String(said.array(), StandardCharsets.US_ASCII)).isEqualTo("home");
        }
    }

    @Test
    void aKilledVmmLeavesNothingButWhatIsReleased() throws Exception {
        var vm = vm(echo());
        lab.vmm().start(vm, lab.kernel(vm));
        ProcessHandle.of(lab.pid(vm)).orElseThrow().destroyForcibly();
        assertThatThrownBy(() -> lab.vmm().pause(vm)).isInstanceOf(IOException.class).hasMessageContaining(vm.name());
    }

    @Test
    void aRestoredMachineIsFrozenAndRestoredAgain() throws Exception {
        var serial = lab.serial();
        var vmm = lab.vmm(serial);
        var template = vm(echo());
        vmm.start(template, lab.kernel(template));
        serial.await(BANNER);
        var first = vm(echo());
        vmm.restore(first, frozen(template, vmm));
        serial.say("one~");
        serial.await("one~");

        vmm.restore(vm(echo()), frozen(first, vmm));
        serial.say("two~");
        serial.await("two~");
    }

    @Test
    void aVmmThatDiesInTheMiddleOfAFreezeIsSeen() throws Exception {
        var vm = vm(echo());
        lab.vmm().start(vm, lab.kernel(vm));
        int pid = lab.pid(vm);
        var file = new Jail(vm).root().resolve(Jail.FROZEN_MEMORY);
        Thread.ofVirtual().start(() -> {
            while (file.toFile().length() == 0) {
                Thread.onSpinWait();
            }
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        });
        assertThatThrownBy(() -> lab.vmm().freeze(vm, () -> {}, lab.guests.resolve("never"), lab.guests.resolve("neither"))).isInstanceOf(IOException.class).hasMessageContaining("/snapshot/create");
        assertThat(lab.guests.resolve("never")).doesNotExist();
    }

    private Vm with(Vm vm, String tap, Path network, Path root) {
        return new Vm(vm.name(), vm.directory(), vm.cgroup(), vm.user(), network, tap, vm.agentSocket(), root, vm.disk(), vm.shape(), vm.rates());
    }

    @Test
    void whatIsMissingIsToldInTheProgramsWords() throws Exception {
        var noTap = vm(echo());
        assertThatThrownBy(() -> lab.vmm().start(with(noTap, "tap9", noTap.network(), noTap.root()), lab.kernel(noTap)))
                .isInstanceOf(IOException.class).hasMessageContaining("PUT /network-interfaces/eth0").hasMessageContaining("tap9");
        var noNetwork = vm(echo());
        assertThatThrownBy(() -> lab.vmm().start(with(noNetwork, "tap0", noNetwork.directory().resolve("nothing"), noNetwork.root()), lab.kernel(noNetwork)))
                .isInstanceOf(IOException.class).hasMessageContaining("the jailer ended").hasMessageContaining("nothing");
        var secret = Files.createFile(lab.guests.resolve("secret"), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("r--------")));
        var unreadable = vm(echo());
        assertThatThrownBy(() -> lab.vmm().start(with(unreadable, "tap0", unreadable.network(), secret), lab.kernel(unreadable)))
                .isInstanceOf(IOException.class).hasMessageContaining("cannot read " + secret);
    }

    @Test
    void aMemoryOfAnotherSizeIsRefused() throws Exception {
        var memory = Files.write(lab.guests.resolve("short"), new byte[4096]);
        var vm = vm(echo());
        assertThatThrownBy(() -> lab.vmm().restore(vm, new Snapshot(Optional.empty(), memory, new byte[10], vm.disk()))).isInstanceOf(IOException.class).hasMessageContaining("another amount of memory");
    }

    @Test
    void aDamagedStateIsRefused() throws Exception {
        var serial = lab.serial();
        var vmm = lab.vmm(serial);
        var template = vm(echo());
        vmm.start(template, lab.kernel(template));
        serial.await(BANNER);
        var good = frozen(template, vmm);
        byte[] state = good.state().clone();
        state[state.length / 2] ^= 1;

        long start = System.nanoTime();
        assertThatThrownBy(() -> lab.vmm().restore(vm(echo()), new Snapshot(good.memory(), good.memoryFile(), state, good.disk())))
                .isInstanceOf(IOException.class).hasMessageContaining("PUT /snapshot/load").hasMessageContaining("napshot");
        assertThatThrownBy(() -> lab.vmm().restore(vm(echo()), new Snapshot(good.memory(), good.memoryFile(), new byte[0], good.disk())))
                .isInstanceOf(IOException.class);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void aGuestThatFloodsItsSerialPortWritesNowhere() throws Exception {
        var vm = vm(lab.kernel("flood", TinyGuest.flood()));
        lab.vmm().start(vm, lab.kernel(vm));
        Thread.sleep(300);
        try (var files = Files.walk(vm.directory())) {
            assertThat(files.filter(file -> Files.isRegularFile(file) && !file.equals(vm.disk())).mapToLong(file -> file.toFile().length()).sum()).isLessThan(8 << 20);
        }
        for (int stream = 0; stream <= 2; stream++) {
            var device = Files.getAttribute(Path.of("/proc/" + lab.pid(vm) + "/fd/" + stream), "unix:rdev");
            assertThat(device).isEqualTo(Files.getAttribute(Path.of("/dev/null"), "unix:rdev"));
        }
    }
}
