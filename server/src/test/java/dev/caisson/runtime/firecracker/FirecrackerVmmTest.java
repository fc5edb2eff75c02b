package dev.caisson.runtime.firecracker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.runtime.HostSnapshot;
import dev.caisson.runtime.microvm.DeviceRates;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.sandbox.Receipt;
import java.io.IOException;
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

    @Test
    void aNodeThatListensAgainIsFound() throws Exception {
        var vm = vm(lab.kernel("idle", TinyGuest.idle(BANNER)));
        lab.vmm().start(vm, lab.kernel(vm));
        var fresh = lab.listen(vm);
        var inside = Path.of("/proc/" + lab.pid(vm) + "/root/door/agent.sock");
        try (var dialed = java.nio.channels.SocketChannel.open(java.net.UnixDomainSocketAddress.of(inside)); var accepted = fresh.accept()) {
            assertThat(accepted.isConnected() && dialed.isConnected()).isTrue();
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
