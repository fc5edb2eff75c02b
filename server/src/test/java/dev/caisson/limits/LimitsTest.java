package dev.caisson.limits;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandResult.Outcome;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Shell;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A sandbox gets what it was given and no more, and others go on answering meanwhile.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class LimitsTest {
    @RegisterExtension
    static final Installation CAISSON = new Installation();

    private static SandboxSpec spec(Tier tier, Limits limits) {
        var spec = Shell.spec(tier);
        return new SandboxSpec(spec.template(), spec.trust(), tier, limits, spec.lease(), Map.of(), Map.of());
    }

    private static final Limits SMALL = new Limits(new Cpus(500), ByteSize.mib(192), 40, ByteSize.mib(64), 256);

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aForkBombGetsItsProcessesAndNoMore(Tier tier) throws Exception {
        // With memory enough for forty of them: it is the other limit that is tried here.
        var bombed = CAISSON.shell(spec(tier, new Limits(SMALL.cpus(), Limits.DEFAULT.memory(), SMALL.processes(), SMALL.disk(), SMALL.openFiles())));
        var other = CAISSON.shell(tier);
        // Stays at its limit for a while instead of ending, and counts what it got.
        var script = """
                import os, time, errno
                children, refused = [], 0
                for _ in range(500):
                    try:
                        pid = os.fork()
                    except OSError as e:
                        assert e.errno == errno.EAGAIN, e
                        refused += 1
                        time.sleep(0.002)
                        continue
                    if pid == 0:
                        time.sleep(30); os._exit(0)
                    children.append(pid)
                print(len(children), refused)
                for pid in children: os.kill(pid, 9)
                """;
        for (String user : tier == Tier.CONTAINER ? List.of("user", "root") : List.of("user")) {
            var ran = bombed.run(Duration.ofMinutes(1), user, "python3", "-c", script);
            assertThat(ran.err()).isEmpty();
            String[] counts = ran.out().strip().split(" ");
            // A container's cgroup counts the agent's threads too, and has 8 places on top for them.
            assertThat(Integer.parseInt(counts[0])).isBetween(30, 48);
            assertThat(Integer.parseInt(counts[1])).isPositive();
        }
        assertThat(other.run("echo", "fine").out()).isEqualTo("fine\n");
        assertThat(bombed.run("echo", "alive").out()).isEqualTo("alive\n");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theClassicForkBombAsRootHurtsNobodyElse(Tier tier) throws Exception {
        var bombed = CAISSON.shell(spec(tier, SMALL));
        var other = CAISSON.shell(tier);
        try (var bomb = CAISSON.node().run(bombed.id(), new CommandSpec(List.of("bash", "-c", "bomb() { bomb | bomb & }; bomb; sleep 20"), Map.of(), "", "root", Optional.empty(), Duration.ofSeconds(5), ByteSize.mib(16), false))) {
            bomb.next();
            for (int i = 0; i < 10; i++) {
                assertThat(other.run(Duration.ofSeconds(10), "", "echo", "fine").out()).isEqualTo("fine\n");
            }
        }
        assertThat(CAISSON.node().delete(bombed.id()).leaks()).isZero();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void memoryBeyondTheLimitKillsAndSaysSo(Tier tier) throws Exception {
        var shell = CAISSON.shell(spec(tier, SMALL));
        var ran = shell.python("x = []\nwhile True: x.append(bytearray(8 << 20)); x[-1][::4096] = b'1' * len(x[-1][::4096])");
        assertThat(ran.result().outcome()).isEqualTo(Outcome.OUT_OF_MEMORY);
        assertThat(ran.status()).isEqualTo(137);
        var receipt = CAISSON.node().delete(shell.id());
        assertThat(receipt.denied()).containsKey("memory");
        // In gVisor the host kills either the guest's kernel, and all of it ends, or the one process of it that holds the guest program.
        assertThat(receipt.reason()).isIn(EndReason.OUT_OF_MEMORY, EndReason.DELETED);
        // The kernel lets a process that it has killed for memory have a page more, so that it can die.
        assertThat(receipt.usage().peakMemory().bytes()).isBetween(ByteSize.mib(100).bytes(), ByteSize.mib(193).bytes());
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void memoryWithinTheLimitIsThere(Tier tier) throws Exception {
        assertThat(CAISSON.shell(spec(tier, SMALL)).python("x = bytearray(96 << 20); x[::4096] = b'1' * len(x[::4096]); print(len(x))").out()).isEqualTo((96 << 20) + "\n");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theDiskEndsAtTheNumberGiven(Tier tier) throws Exception {
        var shell = CAISSON.shell(spec(tier, SMALL));
        for (String path : List.of("/home/user/fill", "/tmp/fill", "/var/tmp/fill")) {
            var ran = shell.asRoot("bash", "-c", "dd if=/dev/zero of=" + path + " bs=64k count=4000 2>&1 | head -1; stat -c %s " + path + "; rm -f " + path);
            assertThat(ran.out()).as(path).contains("No space left on device");
            long written = Long.parseLong(ran.out().lines().filter(line -> line.matches("[0-9]+")).findFirst().orElseThrow());
            assertThat(written).as(path).isBetween((long) (64 * 0.93 * (1 << 20)), 64L << 20);
        }
        // What was freed can be used again.
        assertThat(shell.bash("head -c 20M /dev/zero > again && stat -c %s again").out()).isEqualTo((20 << 20) + "\n");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void openFilesEndAtTheNumberGiven(Tier tier) throws Exception {
        var ran = CAISSON.shell(spec(tier, SMALL)).python("import os, errno\nn = 0\ntry:\n  while True: os.dup(1); n += 1\nexcept OSError as e: print(n, errno.errorcode[e.errno])");
        assertThat(ran.out()).matches("25[0-9] EMFILE\n");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aBusyLoopGetsItsShareAndOthersAnswer(Tier tier) throws Exception {
        var spinning = CAISSON.shell(spec(tier, SMALL));
        var other = CAISSON.shell(tier);
        try (var spin = CAISSON.node().run(spinning.id(), new CommandSpec(List.of("bash", "-c", "while :; do :; done & while :; do :; done"), Map.of(), "", "", Optional.empty(), Duration.ofSeconds(30), ByteSize.mib(1), false))) {
            spin.next();
            var before = CAISSON.node().usage(spinning.id()).cpu();
            long began = System.nanoTime();
            for (int i = 0; i < 20; i++) {
                assertThat(other.run("echo", "fine").out()).isEqualTo("fine\n");
            }
            while (System.nanoTime() - began < 3_000_000_000L) {
                Thread.sleep(50);
            }
            double wall = (System.nanoTime() - began) / 1e9;
            double cpu = CAISSON.node().usage(spinning.id()).cpu().minus(before).toNanos() / 1e9;
            assertThat(cpu / wall).isBetween(0.2, 0.6);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void timeIsUpWithATermAndAKill(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        var heeding = shell.run(Duration.ofMillis(500), "", "bash", "-c", "trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done");
        assertThat(heeding.out()).isEqualTo("bye\n");
        assertThat(heeding.status()).isEqualTo(124);
        assertThat(heeding.result().outcome()).isEqualTo(Outcome.TIMED_OUT);
        var ignoring = shell.run(Duration.ofMillis(500), "", "bash", "-c", "trap '' TERM; while :; do sleep 0.05; done");
        assertThat(ignoring.status()).isEqualTo(124);
        assertThat(ignoring.result().wall()).isBetween(Duration.ofMillis(2400), Duration.ofMillis(5000));
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void outputEndsAtItsLimit(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        var spec = new CommandSpec(List.of("yes"), Map.of(), "", "", Optional.empty(), Duration.ofMinutes(1), ByteSize.mib(5), false);
        try (var stream = CAISSON.node().run(shell.id(), spec)) {
            var ran = Shell.collect(stream);
            assertThat(ran.out()).hasSize(5 << 20);
            assertThat(ran.result().outcome()).isEqualTo(Outcome.OUTPUT_LIMIT);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void tenGigabytesOfOutputGrowNoProcessOfOurs(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        long bytes = 10L << 30;
        // gVisor's pipes are slower; the point is the flat memory, which a fifth shows as well.
        long some = tier == Tier.GVISOR ? bytes / 5 : bytes;
        var spec = new CommandSpec(List.of("head", "-c", Long.toString(some), "/dev/zero"), Map.of(), "", "", Optional.empty(), Duration.ofMinutes(5), ByteSize.gib(16), false);
        long before = residentKib(CAISSON.servers().pid(Servers.Kind.NODE));
        long most = 0;
        long received = 0;
        try (var stream = CAISSON.node().run(shell.id(), spec)) {
            for (var event = stream.next(); !(event instanceof CommandEvent.Ended); event = stream.next()) {
                if (event instanceof CommandEvent.Output output) {
                    received += output.data().remaining();
                    if (received % (1 << 26) < 65_536) {
                        most = Math.max(most, residentKib(CAISSON.servers().pid(Servers.Kind.NODE)));
                    }
                }
            }
        }
        assertThat(received).isEqualTo(some);
        assertThat(most - before).as("KiB more in the node").isLessThan(64 << 10);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aWriterThatNobodyReadsStops(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        try (var stream = CAISSON.node().run(shell.id(), CommandSpec.of("python3", "-c", "import sys\nfor i in range(100000):\n  sys.stdout.write('x' * 65536); open('/tmp/progress', 'w').write(str(i))"))) {
            stream.next();
            long until = System.nanoTime() + Duration.ofSeconds(2).toNanos();
            while (System.nanoTime() < until) {
                Thread.sleep(50);
            }
            assertThat(Integer.parseInt(shell.run("cat", "/tmp/progress").out())).isLessThan(64);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aFileLargerThanTheDiskIsRefusedAndLeavesNothing(Tier tier) throws Exception {
        var shell = CAISSON.shell(spec(tier, SMALL));
        var zeros = new java.io.InputStream() {
            private long left = 100L << 20;

            @Override
            public int read() {
                return left-- > 0 ? 0 : -1;
            }

            @Override
            public int read(byte[] into, int from, int most) {
                if (left <= 0) {
                    return -1;
                }
                int n = (int) Math.min(most, left);
                left -= n;
                return n;
            }
        };
        String before = shell.bash("ls -A /home/user").out();
        var refused = org.assertj.core.api.Assertions.catchThrowableOfType(SandboxException.class, () -> CAISSON.node().files(shell.id()).write("/home/user/big", "", -1, zeros));
        assertThat(refused.code()).isEqualTo(dev.caisson.sandbox.Failure.Code.DISK_FULL);
        assertThat(shell.bash("ls -A /home/user").out()).isEqualTo(before);
    }

    private static long residentKib(long pid) throws java.io.IOException {
        String status = Files.readString(Path.of("/proc/" + pid + "/status"));
        return Long.parseLong(status.lines().filter(line -> line.startsWith("VmRSS:")).findFirst().orElseThrow().replaceAll("[^0-9]", ""));
    }
}
