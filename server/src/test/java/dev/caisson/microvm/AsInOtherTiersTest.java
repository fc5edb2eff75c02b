package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandResult.Outcome;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.PortHttp;
import dev.caisson.testing.Shell;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// What a sandbox does and may take is as in the other tiers.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class AsInOtherTiersTest {
    @RegisterExtension
    static final Installation CAISSON = new Installation().withMicrovms();

    /// What a disk has on top for the overlay's own directories. Unit: bytes.
    private static final long OVERLAY_SHARE = 64 << 10;

    @Test
    void whatRunsItIsSaidWhereverItIsNamed() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        var info = CAISSON.node().get(shell.id());
        assertThat(info.spec().driver()).contains(DriverName.QEMU_TCG);
        assertThat(shell.run("uname", "-r").out()).as("a kernel of its own").endsWith("-cloud-amd64\n");
        var receipt = CAISSON.node().delete(shell.id());
        assertThat(receipt.leaks()).isZero();
        assertThat(receipt.reason()).isEqualTo(EndReason.DELETED);
        assertThat(receipt.tier()).isEqualTo(Tier.MICROVM);
        assertThat(receipt.driver()).contains(DriverName.QEMU_TCG);
        assertThat(receipt.resources()).extracting(check -> check.resource().kind()).contains(
                ResourceKind.DIRECTORY, ResourceKind.SOCKET, ResourceKind.CGROUP, ResourceKind.NETWORK_NAMESPACE, ResourceKind.DISK, ResourceKind.RUNTIME_STATE, ResourceKind.PROCESSES);
        assertThat(receipt.usage().cpu()).isPositive();
        assertThat(receipt.usage().peakMemory().bytes()).isBetween(ByteSize.mib(8).bytes(), ByteSize.mib(448).bytes());
    }

    @Test
    void commandsFilesAndInputAreCarriedAsTheyAre() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        var ran = shell.bash("echo out; echo err >&2; exit 7");
        assertThat(ran).extracting(Shell.Ran::out, Shell.Ran::err, Shell.Ran::status).containsExactly("out\n", "err\n", 7);
        byte[] content = new byte[8 << 20];
        new Random(11).nextBytes(content);
        var files = CAISSON.node().files(shell.id());
        assertThat(files.write("/home/user/random", "", -1, new ByteArrayInputStream(content)).size()).isEqualTo(content.length);
        try (var in = files.read("/home/user/random", "", 0, Long.MAX_VALUE)) {
            assertThat(in.readAllBytes()).isEqualTo(content);
        }
        assertThat(shell.bash("stat -c '%U %a %s' random; sha256sum < random | cut -c1-64").out()).isEqualTo("user 644 " + content.length + "\n" + sha256(content) + "\n");
        assertThat(files.list("/home/user", "", 1)).extracting(file -> file.name()).contains("random");
        files.remove("/home/user/random", "");
        assertThat(catchThrowableOfType(SandboxException.class, () -> files.stat("/home/user/random", "")).code()).isEqualTo(Failure.Code.FILE_NOT_FOUND);
    }

    private static String sha256(byte[] content) throws Exception {
        return java.util.HexFormat.of().formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(content));
    }

    @Test
    void aTerminalHasASizeAndTakesKeys() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        var spec = new CommandSpec(
                List.of("bash", "-c", "trap 'stty size' WINCH; tty; stty size; while ! read -r -t 1 answer && [[ -z $answer ]]; do :; done; echo \"so $answer\""), Map.of(), "", "",
                Optional.of(new TerminalSize(101, 33)), Duration.ofMinutes(1), ByteSize.mib(1), true);
        try (var terminal = CAISSON.node().run(shell.id(), spec)) {
            var id = ((CommandEvent.Started) terminal.next()).id();
            assertThat(until(terminal, "33 101\r\n")).contains("/dev/pts/");
            CAISSON.node().resize(shell.id(), id, new TerminalSize(120, 44));
            until(terminal, "44 120\r\n");
            CAISSON.node().input(shell.id(), id, java.nio.ByteBuffer.wrap("red\r".getBytes(StandardCharsets.US_ASCII)), false);
            until(terminal, "so red\r\n");
            assertThat(Shell.collect(terminal).status()).isZero();
        }
    }

    private static String until(CommandStream stream, String text) throws InterruptedException {
        var said = new StringBuilder();
        while (said.indexOf(text) < 0) {
            switch (stream.next()) {
                case CommandEvent.Output output -> said.append(StandardCharsets.UTF_8.decode(output.data()));
                case CommandEvent.Started _ -> {}
                case CommandEvent.Ended ended -> throw new AssertionError("it ended before it said '" + text + "': " + said + ended);
            }
        }
        return said.toString();
    }

    @Test
    void aPortIsReachedThroughTheAgent() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        shell.bash("mkdir www && echo hello > www/index.html");
        try (var server = CAISSON.node().run(shell.id(), CommandSpec.of("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/home/user/www", "8000"))) {
            until(server, "Serving");
            assertThat(new PortHttp(CAISSON.node(), shell.id(), 8000).ask("GET", "/index.html", "")).isEqualTo(new PortHttp.Answer(200, "hello\n"));
            assertThatThrownBy(() -> CAISSON.node().dial(shell.id(), 8001)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.PORT_CLOSED));
        }
    }

    @Test
    void commandsEndBySignalsTimeAndOutput() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        var heeding = shell.run(Duration.ofSeconds(1), "", "bash", "-c", "trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done");
        assertThat(heeding.out()).isEqualTo("bye\n");
        assertThat(heeding.status()).isEqualTo(124);
        assertThat(heeding.result().outcome()).isEqualTo(Outcome.TIMED_OUT);
        var ignoring = shell.run(Duration.ofMillis(500), "", "bash", "-c", "trap '' TERM; while :; do sleep 0.05; done");
        assertThat(ignoring.status()).isEqualTo(124);
        assertThat(ignoring.result().wall()).isBetween(Duration.ofMillis(2_400), Duration.ofMillis(8_000));

        try (var sleeping = CAISSON.node().run(shell.id(), CommandSpec.of("sleep", "300"))) {
            CAISSON.node().signal(shell.id(), ((CommandEvent.Started) sleeping.next()).id(), 10);
            assertThat(Shell.collect(sleeping).status()).isEqualTo(128 + 10);
        }
        var flood = new CommandSpec(List.of("yes"), Map.of(), "", "", Optional.empty(), Duration.ofMinutes(1), ByteSize.mib(5), false);
        try (var stream = CAISSON.node().run(shell.id(), flood)) {
            var ran = Shell.collect(stream);
            assertThat(ran.out()).hasSize(5 << 20);
            assertThat(ran.result().outcome()).isEqualTo(Outcome.OUTPUT_LIMIT);
        }
        assertThat(shell.run("echo", "alive").out()).isEqualTo("alive\n");
    }

    @Test
    void aForkBombGetsItsProcessesAndNoMore() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        var ran = shell.python(
                """
                import os, time, errno
                children, refused = [], 0
                for _ in range(200):
                    try:
                        pid = os.fork()
                    except OSError as e:
                        assert e.errno == errno.EAGAIN, e
                        refused += 1
                        continue
                    if pid == 0:
                        time.sleep(60); os._exit(0)
                    children.append(pid)
                print(len(children), refused)
                for pid in children: os.kill(pid, 9)
                """);
        assertThat(ran.err()).isEmpty();
        String[] counts = ran.out().strip().split(" ");
        assertThat(Integer.parseInt(counts[0])).isBetween(50, 64);
        assertThat(Integer.parseInt(counts[1])).isPositive();
        assertThat(shell.run("echo", "alive").out()).isEqualTo("alive\n");
    }

    @Test
    void memoryAndDiskEndWhereTheyWereSaidTo() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        var within = shell.python("x = bytearray(96 << 20); x[::4096] = b'1' * len(x[::4096]); print(len(x))");
        assertThat(within.out()).isEqualTo((96 << 20) + "\n");
        var hog = shell.python("x = []\nwhile True: x.append(bytearray(8 << 20)); x[-1][::4096] = b'1' * len(x[-1][::4096])");
        assertThat(hog.status()).isEqualTo(137);
        assertThat(hog.result().outcome()).as("by its own kernel").isEqualTo(Outcome.OUT_OF_MEMORY);
        var parent = shell.bash("python3 -c 'x = []\nwhile True: x.append(b\"x\" * (8 << 20))'; exit $?").result();
        assertThat(List.of(parent.outcome(), parent.status())).as("whose child was killed").isEqualTo(List.of(Outcome.OUT_OF_MEMORY, 137));
        assertThat(shell.bash("kill -9 $$").result().outcome()).as("nobody is killed for memory any more").isEqualTo(Outcome.SIGNALED);

        for (String path : List.of("/home/user/fill", "/tmp/fill")) {
            var full = shell.asRoot("bash", "-c", "dd if=/dev/zero of=" + path + " bs=256k count=1000 2>&1 | head -1; stat -c %s " + path + "; rm -f " + path);
            assertThat(full.out()).as(path).contains("No space left on device");
            long written = Long.parseLong(full.out().lines().filter(line -> line.matches("[0-9]+")).findFirst().orElseThrow());
            assertThat(written).as(path).isBetween((long) (0.9 * Small.LIMITS.disk().bytes()), Small.LIMITS.disk().bytes() + OVERLAY_SHARE);
        }
        InputStream zeros = new SequenceInputStream(new ByteArrayInputStream(new byte[64 << 20]), new ByteArrayInputStream(new byte[64 << 20]));
        assertThat(catchThrowableOfType(SandboxException.class, () -> CAISSON.node().files(shell.id()).write("/home/user/big", "", -1, zeros)).code()).isEqualTo(Failure.Code.DISK_FULL);
        assertThat(shell.bash("ls; head -c 20M /dev/zero > again && stat -c %s again").out()).as("nothing is left, and what was freed can be used again").isEqualTo((20 << 20) + "\n");
        assertThat(CAISSON.node().delete(shell.id()).reason()).isEqualTo(EndReason.DELETED);
    }

    @Test
    void aBusyLoopGetsItsShareByTheHostsClock() throws Exception {
        var shell = CAISSON.shell(Small.limited(new Limits(new Cpus(400), Small.LIMITS.memory(), Small.LIMITS.processes(), Small.LIMITS.disk(), Small.LIMITS.openFiles()), Duration.ofMinutes(5)));
        try (var spin = CAISSON.node().run(shell.id(), CommandSpec.of("bash", "-c", "while :; do :; done & while :; do :; done"))) {
            spin.next();
            Duration before = CAISSON.node().usage(shell.id()).cpu();
            long began = System.nanoTime();
            Thread.sleep(2_500);
            double cpu = CAISSON.node().usage(shell.id()).cpu().minus(before).toNanos();
            assertThat(cpu / (System.nanoTime() - began)).isBetween(0.15, 0.48);
        }
    }

    @Test
    void tooLittleMemoryForAKernelIsRefused() {
        var small = new Limits(Small.LIMITS.cpus(), ByteSize.mib(64), Small.LIMITS.processes(), Small.LIMITS.disk(), Small.LIMITS.openFiles());
        CAISSON.shell(Small.spec());
        assertThatThrownBy(() -> CAISSON.node().create(Small.limited(small, Duration.ofMinutes(1)))).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.OUT_OF_RANGE);
            assertThat(e.failure().message()).contains("128");
        });
        assertThat(CAISSON.node().list()).hasSize(1);
    }
}
