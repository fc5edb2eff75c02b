package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.guest.Agent;
import dev.caisson.host.Sha256;
import dev.caisson.runtime.Booted;
import dev.caisson.runtime.Voice;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Limits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Root of a guest against its own machine: battery A11 to A13. The sandbox may die of it; nobody else hears of it.
class HostileRootTest extends MicrovmTest {
    private static final Limits HALF = new Limits(new Cpus(500), ByteSize.mib(256), 64, ByteSize.mib(64), 1024);
    /// Blocks of files below a directory, but for the disk, which has a limit of its own.
    private static final long LITTLE_BYTES = 64 * 1024;

    private Booted hostile() throws IOException, InterruptedException {
        return lab.boot(driver, lab.plan(HALF));
    }

    private long bytesBeside(Booted sandbox) throws IOException {
        long all = 0;
        try (var files = Files.walk(lab.machine.home.path())) {
            for (Path file : files.filter(Files::isRegularFile).filter(path -> !path.equals(sandbox.boot.directory().resolve("disk.img"))).toList()) {
                all += Files.size(file);
            }
        }
        return all;
    }

    private interface Deed {
        void run() throws Exception;
    }

    /// It stays within its CPU time and its memory, and writes nothing but its disk.
    private void assertBounded(Booted sandbox, Deed deed) throws Exception {
        var cgroups = lab.machine.cgroups;
        long files = bytesBeside(sandbox);
        var used = cgroups.usage(sandbox.boot.cgroup()).cpu();
        long begin = System.nanoTime();
        deed.run();
        var wall = Duration.ofNanos(System.nanoTime() - begin);
        var spent = cgroups.usage(sandbox.boot.cgroup()).cpu().minus(used);
        assertThat(spent).as("CPU time in " + wall).isLessThan(wall.multipliedBy(60).dividedBy(100).plusMillis(100));
        assertThat(cgroups.usage(sandbox.boot.cgroup()).peakMemory().bytes()).isLessThan(HALF.memory().bytes() + lab.vmm.overhead().bytes() + 1);
        assertThat(bytesBeside(sandbox)).isLessThan(files + LITTLE_BYTES);
    }

    private void assertAlive(Booted sandbox) throws Exception {
        assertThat(sandbox.run("echo alive")).isEqualTo(new Voice.Answer("alive\n", 0));
    }

    @Test
    void floodingItsConsoleAndItsKernelsLogFillsNothing() throws Exception {
        var sandbox = hostile();
        assertBounded(sandbox, () -> {
            var flood = sandbox.run("for to in /dev/kmsg /dev/console /dev/tty0 /dev/ttyS0 /dev/hvc0; do ls $to && (timeout 2 sh -c 'while :; do echo rubbish; done' > $to &) ; done; sleep 2.5");
            assertThat(flood.text()).contains("/dev/kmsg\n", "/dev/console\n");
        });
        assertAlive(sandbox);
    }

    @Test
    void nobodyButTheAgentOpensItsWayHome() throws Exception {
        var sandbox = hostile();
        var opened = sandbox.run("for port in /dev/vport*; do echo rubbish > $port; done");
        assertThat(opened.text()).containsPattern("(busy|No such|denied)");
        assertThat(opened.status()).isNotZero();
        assertAlive(sandbox);
    }

    @Test
    void floodingTheWayHomeEndsTheLinkAndHoldsNoMemory() throws Exception {
        var sandbox = hostile();
        var neighbour = lab.boot(driver);
        lab.give(sandbox, "floods.c", "/tmp/floods");
        long before = heap();
        sandbox.send("exec /tmp/floods");
        assertThat(sandbox.awaitEnd()).isTrue();
        assertThatThrownBy(() -> sandbox.run("echo here")).isInstanceOf(IOException.class);
        assertBounded(sandbox, () -> {
            // The VMM dials again, and what comes is no agent.
            for (int call = 0; call < 3; call++) {
                var visitor = sandbox.awaitVisitor();
                visitor.configureBlocking(true);
                assertThatThrownBy(() -> Agent.greet(visitor, "flood", Duration.ofSeconds(60), Duration.ofSeconds(5)).close()).isInstanceOf(IOException.class);
            }
        });
        assertThat(heap() - before).isLessThan(32L << 20);
        assertAlive(neighbour);
    }

    private static long heap() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    @Test
    void everyPortOfTheMachineMayBeWrittenTo() throws Exception {
        var sandbox = hostile();
        lab.give(sandbox, "ports.c", "/tmp/ports");
        assertBounded(sandbox, () -> assertThat(sandbox.run("/tmp/ports 3").text()).matches("[1-9][0-9]{3,}\n"));
        assertAlive(sandbox);
    }

    @Test
    void absurdDeviceRegistersHurtNobodyElse() throws Exception {
        var neighbour = lab.boot(driver);
        assertThat(lifeAfter("3 idle", neighbour)).as("a machine whose registers are only read lives till it is told to end").isGreaterThan(Duration.ofSeconds(2));
        lifeAfter("4", neighbour);
        lab.requireThatOneComesUp(driver);
    }

    /// How long a guest lives whose root takes its devices from its kernel.
    private Duration lifeAfter(String arguments, Booted neighbour) throws Exception {
        var sandbox = hostile();
        lab.give(sandbox, "devices.c", "/tmp/devices");
        assertThat(sandbox.run("mkdir /tmp/sys && mount -t sysfs sysfs /tmp/sys && ls -d /tmp/sys/bus/platform/drivers/virtio-mmio/LNRO* | wc -l; test -w /tmp/sys/bus/platform/drivers/virtio-mmio/unbind && ls /dev/mem"))
                .isEqualTo(new Voice.Answer("5\n/dev/mem\n", 0));
        long begin = System.nanoTime();
        sandbox.send("exec /tmp/devices " + arguments);
        assertBounded(sandbox, () -> {
            long until = begin + Duration.ofSeconds(30).toNanos();
            while (!lab.machine.cgroups.processes(sandbox.boot.cgroup()).isEmpty()) {
                assertThat(System.nanoTime()).as("it ends itself, or its VMM does").isLessThan(until);
                assertAlive(neighbour);
            }
        });
        return Duration.ofNanos(System.nanoTime() - begin);
    }

    @Test
    void theImageOfAllCannotBeWrittenTo() throws Exception {
        String before = Sha256.of(lab.machine.image.file());
        var sandbox = hostile();
        // Where devices are devices; /tmp is none of these places.
        assertThat(sandbox.run("mknod /dev/image b $(tr : ' ' < /sys/block/vda/dev) && cmp -n 65536 /dev/vda /dev/image")).isEqualTo(new Voice.Answer("", 0));
        sandbox.run("blockdev --setrw /dev/image");
        for (String device : List.of("/dev/vda", "/dev/image")) {
            var written = sandbox.run("dd if=/dev/zero of=" + device + " bs=4096 count=4 conv=notrunc,fsync 2>&1");
            assertThat(written.status()).isNotZero();
        }
        assertThat(Sha256.of(lab.machine.image.file())).isEqualTo(before);
        // Its own disk can be.
        assertThat(sandbox.run("dd if=/dev/zero of=/mine bs=4096 count=4 conv=fsync").status()).isZero();
        lab.requireThatOneComesUp(driver);
    }
}
