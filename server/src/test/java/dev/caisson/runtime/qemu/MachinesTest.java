package dev.caisson.runtime.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.caisson.host.SparseDigest;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Real machines under emulation: boot, freeze, copies, pause.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MachinesTest {
    private QemuLab lab;
    private Snapshot snapshot;

    @BeforeAll
    void open() throws Exception {
        var unfit = QemuLab.unfit();
        assumeTrue(unfit.isEmpty(), unfit.orElse(""));
        lab = new QemuLab();
        snapshot = lab.freeze(42);
    }

    @AfterAll
    void close() throws Exception {
        if (lab != null) {
            lab.close();
        }
    }

    @Test
    void copiesOfOneSnapshotGoOnWhereItStoodEachForItself() throws Exception {
        var first = lab.restore(snapshot);
        var second = lab.restore(snapshot);
        assertThat(first.ask("recall")).isEqualTo("42");
        first.ask("keep 7");
        assertThat(second.ask("recall")).isEqualTo("42");
        assertThat(first.ask("recall")).isEqualTo("7");
        assertThat(second.ask("write 9")).isEqualTo("written");
        assertThat(first.ask("read")).isEqualTo("0");
        assertThat(second.ask("read")).isEqualTo("9");
    }

    @Test
    void nothingThatACopyWritesReachesTheSnapshot() throws Exception {
        String before = SparseDigest.of(snapshot.memory().orElseThrow().path());
        var copy = lab.restore(snapshot);
        assertThat(copy.ask("fill 170")).matches("filled 1[0-9]{2}|filled 2[0-9]{2}");
        assertThat(SparseDigest.of(snapshot.memory().orElseThrow().path())).isEqualTo(before).isEqualTo(SparseDigest.of(snapshot.memoryFile()));
        assertThat(lab.restore(snapshot).ask("recall")).isEqualTo("42");
    }

    @Test
    void aCopyHasItsOwnDevicesUnderTheSameNames() throws Exception {
        var copy = lab.restore(snapshot);
        assertThat(copy.ask("devices")).isEqualTo("213729280 ro " + QemuLab.SHAPE.disk().bytes());
        assertThat(copy.ask("net")).isEqualTo("02:ca:15:50:00:01");
    }

    @Test
    void standsStillWhilePaused() throws Exception {
        var copy = lab.restore(snapshot);
        lab.vmm.pause(copy.vm());
        lab.vmm.pause(copy.vm());
        copy.say("ping");
        assertThat(copy.isSilentFor(Duration.ofMillis(300))).isTrue();
        lab.vmm.resume(copy.vm());
        lab.vmm.resume(copy.vm());
        assertThat(copy.line()).isEqualTo("pong");
    }

    @Test
    void dialsAgainWhenTheNodeWasAway() throws Exception {
        var copy = lab.restore(snapshot);
        copy.hangUp();
        var again = Guest.of(copy.vm());
        again.awaitHello(Duration.ofSeconds(20));
        assertThat(again.ask("recall")).isEqualTo("42");
        again.close();
    }

    @Test
    void aGuestThatFloodsItsConsoleFillsNothing() throws Exception {
        var copy = lab.restore(snapshot);
        long before = bytesIn(copy.vm().workshop());
        copy.ask("shout");
        for (int i = 0; i < 20; i++) {
            assertThat(copy.ask("ping")).isEqualTo("pong");
        }
        assertThat(bytesIn(copy.vm().workshop())).isEqualTo(before).isLessThan(4096);
    }

    private static long bytesIn(Path directory) throws IOException {
        try (var files = Files.walk(directory)) {
            return files.filter(Files::isRegularFile).mapToLong(file -> file.toFile().length()).sum();
        }
    }

    @Test
    void aStateThatIsNoneIsRefusedWithQemusWords() throws Exception {
        var guest = lab.make();
        var state = snapshot.state().clone();
        Arrays.fill(state, 100, state.length, (byte) 0x55);
        var broken = new Snapshot(snapshot.memory(), snapshot.memoryFile(), state, snapshot.disk());
        assertThatThrownBy(() -> lab.vmm.restore(guest.vm(), broken)).isInstanceOf(IOException.class).hasMessageContaining("cannot restore vm").hasMessageContaining("load of migration failed");
    }

    @Test
    void aMachineOfAnotherSizeIsRefused() throws Exception {
        var vm = lab.make().vm();
        var other = new Vm(vm.name(), vm.directory(), vm.cgroup(), vm.user(), vm.network(), vm.tap(), vm.agentSocket(), vm.root(), vm.disk(),
                new Vm.Shape(1, ByteSize.mib(512), ByteSize.mib(64)), vm.rates());
        assertThatThrownBy(() -> lab.vmm.restore(other, snapshot)).isInstanceOf(IOException.class).hasMessageContaining("memory");
    }

    @Test
    void aKernelThatIsNoneIsRefusedWithQemusWords() throws Exception {
        var vm = lab.make().vm();
        var nonsense = new GuestKernel(lab.guest.initramfs(), lab.guest.initramfs(), "0", "0");
        assertThatThrownBy(() -> lab.vmm.start(vm, nonsense)).isInstanceOf(IOException.class).hasMessageContaining("kernel");
    }

    @Test
    void aTapOfSomebodyElseIsRefusedWithQemusWords() throws Exception {
        var vm = lab.make().vm();
        Files.setAttribute(vm.disk(), "unix:uid", vm.user() + 500);
        var other = new Vm(vm.name(), vm.directory(), vm.cgroup(), vm.user() + 500, vm.network(), vm.tap(), vm.agentSocket(), vm.root(), vm.disk(), vm.shape(), vm.rates());
        assertThatThrownBy(() -> lab.vmm.restore(other, snapshot)).isInstanceOf(IOException.class).hasMessageContaining("tap0");
    }

    @Test
    void saysSoWhenTheVmmHasBeenKilled() throws Exception {
        var copy = lab.restore(snapshot);
        ProcessHandle.of(lab.process(copy.vm())).orElseThrow().destroyForcibly();
        assertThatThrownBy(() -> lab.vmm.pause(copy.vm())).isInstanceOf(IOException.class).hasMessageMatching("QEMU cannot pause .*: (it has ended|QEMU.s monitor hung up)");
    }

    @Test
    void aMonitorThatDoesNotAnswerIsGivenUp() throws Exception {
        var copy = lab.restore(snapshot);
        lab.cgroups.freeze(copy.vm().cgroup(), Duration.ofSeconds(5));
        long begin = System.nanoTime();
        assertThatThrownBy(() -> lab.vmm.pause(copy.vm())).isInstanceOf(IOException.class).hasMessageContaining("not done within");
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(15));
    }

    @Test
    void theWallsStandAroundARunningVmm() throws Exception {
        var vm = lab.restore(snapshot).vm();
        var facts = new ProcessFacts(lab.process(vm));
        var user = Integer.toString(vm.user());
        assertThat(facts.status("Uid")).isEqualTo(String.join("\t", user, user, user, user));
        assertThat(facts.status("Gid")).isEqualTo(String.join("\t", user, user, user, user));
        assertThat(facts.status("Groups")).isEmpty();
        for (String set : List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) {
            assertThat(facts.status(set)).as(set).isEqualTo("0000000000000000");
        }
        assertThat(facts.status("NoNewPrivs")).isEqualTo("1");
        assertThat(facts.status("Seccomp")).as("filtered").isEqualTo("2");
        for (String namespace : List.of("cgroup", "ipc", "mnt", "net", "pid", "uts")) {
            assertThat(facts.namespace(namespace)).as(namespace).isNotEqualTo(ProcessFacts.own().namespace(namespace));
        }
        assertThat(facts.namespaceFile("net")).isEqualTo(Files.getAttribute(vm.network(), "unix:ino"));
        assertThat(facts.limit("Max core file size")).isEqualTo("0");
        assertThat(facts.limit("Max file size")).isEqualTo(Long.toString(vm.shape().disk().bytes()));
        assertThat(facts.cgroups()).allMatch(line -> line.endsWith("/" + vm.cgroup()));
        assertThat(facts.openFiles()).allMatch(file -> file.matches("/(root|disk|dev/net/tun)|.*/vm/state( \\(deleted\\))?|/memfd:caisson-memory\\d+ \\(deleted\\)|(socket|pipe):.*|anon_inode:.*"));
        assertThat(facts.mountPoints()).allMatch(point -> point.matches(
                "/|/usr/lib(64)?|/lib(64)?|/etc/ld.so.cache|/setpriv|/qemu|/firmware|/run|/root|/disk|/door|/dev/net/tun|/proc(/sys|/sysrq-trigger|/irq|/bus)?"));
        assertThat(facts.writableMountPoints()).containsOnly("/", "/run", "/disk", "/dev/net/tun", "/proc");
    }

    @Test
    void kvmIsFitWhereItRunsAGuestAndSaysWhyElsewhere() throws Exception {
        var kvm = lab.vmm(DriverName.QEMU);
        long begin = System.nanoTime();
        var unfit = kvm.unfit();
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(12));
        if (unfit.isPresent()) {
            assertThat(unfit.get()).containsAnyOf("KVM cannot run a guest here", "no /dev/kvm");
        }
        begin = System.nanoTime();
        assertThat(lab.vmm(DriverName.QEMU).unfit()).isEqualTo(unfit);
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).as("it is remembered").isLessThan(Duration.ofSeconds(2));
    }
}
