package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.host.Child;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Limits;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Kept snapshots that are not what they were: refused, set aside and made anew; and hosts that have no room for one.
class SnapshotTroubleTest extends MicrovmTest {
    private final Random random = new Random();

    /// The one of sandboxes as all others.
    private Path kept() throws IOException {
        return kept(MicrovmLab.LIMITS).orElseThrow(() -> new AssertionError("no snapshot"));
    }

    private Optional<Path> kept(Limits limits) throws IOException {
        for (Path each : lab.snapshots("")) {
            if (!each.toString().contains(".") && Files.readString(each.resolve("manifest")).contains("\"memory " + limits.memory().bytes() + "\"")) {
                return Optional.of(each);
            }
        }
        return Optional.empty();
    }

    /// A node that starts finds it changed.
    private void assertRefusedAndMadeAnew() throws Exception {
        var refused = kept().resolveSibling(kept().getFileName() + ".refused");
        Child.of(Path.of("/dev/null"), "rm", "-rf", refused.toString()).mustRun(Duration.ofMinutes(1));
        lab.requireThatOneComesUp(lab.driver());
        assertThat(refused).isDirectory();
        assertThat(kept()).isDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"memory", "state", "disk"})
    void oneFlippedByteIsRefused(String name) throws Exception {
        try (var file = new RandomAccessFile(kept().resolve(name).toFile(), "rw")) {
            long at = random.nextLong(file.length());
            file.seek(at);
            int was = file.read();
            file.seek(at);
            file.write(was ^ 0x10);
        }
        assertRefusedAndMadeAnew();
    }

    @Test
    void oneCutShortIsRefused() throws Exception {
        try (var file = FileChannel.open(kept().resolve("state"), StandardOpenOption.WRITE)) {
            file.truncate(file.size() / 2);
        }
        assertRefusedAndMadeAnew();
    }

    @ParameterizedTest
    @ValueSource(strings = {"vmm qemu ", ", tsc "})
    void oneOfAnotherVersionOrProcessorIsRefused(String line) throws Exception {
        Path manifest = kept().resolve("manifest");
        String text = Files.readString(manifest);
        assertThat(text).contains(line);
        Files.writeString(manifest, text.replace(line, line + "1"));
        assertRefusedAndMadeAnew();
    }

    @Test
    void oneThatIsWholeIsNotMadeAnew() throws Exception {
        Object before = Files.getAttribute(kept(), "unix:ino");
        lab.requireThatOneComesUp(lab.driver());
        assertThat(Files.getAttribute(kept(), "unix:ino")).isEqualTo(before);
    }

    @Test
    void oneThatWasRemovedBehindTheNodesBackIsMadeAnew() throws Exception {
        Child.of(Path.of("/dev/null"), "rm", "-rf", kept().toString()).mustRun(Duration.ofMinutes(1));
        lab.requireThatOneComesUp(driver);
        assertThat(kept()).isDirectory();
    }

    private void onASmallDisk(Path place, String size, Task task) throws Exception {
        Files.createDirectories(place);
        Path log = lab.machine.home.path().resolve("make.log");
        Child.of(log, "mount", "-t", "tmpfs", "-o", "mode=0755,size=" + size, "small", place.toString()).mustRun(Duration.ofSeconds(10));
        try {
            task.run();
        } finally {
            Child.of(log, "umount", "-l", place.toString()).mustRun(Duration.ofSeconds(10));
        }
    }

    private interface Task {
        void run() throws Exception;
    }

    @Test
    void aHostWithoutRoomForACopySaysSo() throws Exception {
        onASmallDisk(lab.machine.home.sandboxes(), "64k", () -> {
            var boot = lab.plan(MicrovmLab.LIMITS);
            assertThatThrownBy(() -> lab.boot(driver, boot)).isInstanceOf(IOException.class).hasMessageContaining("No space left on device");
            lab.release(driver, boot);
            assertThat(lab.machine.home.sandboxes()).isEmptyDirectory();
        });
        lab.requireThatOneComesUp(driver);
    }

    @Test
    void aHostWithoutRoomForASnapshotSaysSo() throws Exception {
        onASmallDisk(lab.machine.home.snapshots(), "8m", () -> {
            var boot = lab.plan(MicrovmLab.LIMITS);
            assertThatThrownBy(() -> lab.boot(lab.driver(), boot)).isInstanceOf(IOException.class).hasMessageContaining("No space left on device");
            lab.release(driver, boot);
            assertThat(lab.machine.home.snapshots()).isEmptyDirectory();
        });
        lab.requireThatOneComesUp(driver);
    }

    @Test
    void aHostWithoutRoomForATemplateSaysSo() throws Exception {
        onASmallDisk(lab.machine.home.sandboxes(), "16m", () -> {
            var boot = lab.plan(other(20));
            assertThatThrownBy(() -> lab.boot(lab.driver(), boot)).isInstanceOf(IOException.class).hasMessageContaining("No space left on device");
            lab.release(driver, boot);
            assertThat(lab.machine.home.sandboxes()).isEmptyDirectory();
        });
        lab.requireThatOneComesUp(driver);
    }

    @Test
    void aHostThatFillsUpUnderAGuestFailsItsWritesAndNothingElse() throws Exception {
        onASmallDisk(lab.machine.home.sandboxes(), "8m", () -> {
            var sandbox = lab.boot(driver);
            assertThat(sandbox.run("dd if=/dev/zero of=/big bs=1M count=30 conv=fsync 2>&1").status()).isNotZero();
            assertThat(sandbox.run("echo alive").text()).isEqualTo("alive\n");
            sandbox.close();
            lab.release(driver, sandbox.boot);
            assertThat(lab.machine.home.sandboxes()).isEmptyDirectory();
        });
        lab.requireThatOneComesUp(driver);
    }

    /// The VMM dies at some moment between its start and the end of the freezing.
    @Test
    void aDeathWhileItIsMadeLeavesNothing() throws Exception {
        int failed = 0;
        for (int round = 0; round < 3; round++) {
            var boot = lab.plan(other(round));
            long delay = random.nextLong(Duration.ofMillis(2500).toNanos());
            var killer = Thread.ofVirtual().start(() -> killTemplatesAfter(delay));
            try {
                lab.boot(lab.driver(), boot).close();
            } catch (IOException e) {
                failed++;
                assertThat(e).hasMessageNotContaining("null");
            }
            killer.interrupt();
            killer.join();
            lab.release(driver, boot);
            lab.requireNothingLeft();
        }
        assertThat(failed).isPositive();
        lab.boot(driver, lab.plan(other(2)));
        assertThat(kept(other(2))).isPresent();
    }

    /// Of a size of its own, so that there is no snapshot of it yet.
    private static Limits other(int number) {
        return new Limits(new Cpus(1000), ByteSize.mib(200 + number), 64, ByteSize.mib(64), 1024);
    }

    private void killTemplatesAfter(long nanos) {
        try {
            var cgroups = lab.machine.cgroups;
            var parent = lab.machine.home.cgroupParent();
            while (true) {
                Thread.sleep(1);
                for (String name : cgroups.children(parent)) {
                    if (name.startsWith(parent + "/t") && !cgroups.processes(name).isEmpty()) {
                        Thread.sleep(Duration.ofNanos(nanos));
                        cgroups.kill(name, Duration.ofSeconds(5));
                        return;
                    }
                }
            }
        } catch (InterruptedException _) {
            // It was made before.
        }
    }
}
