package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// A node that does not know yet whether this host's KVM runs a guest.
@Tag("machine")
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class FirstStatusTest {
    /// Less than a guest gets that says nothing.
    private static final Duration AT_ONCE = Duration.ofSeconds(5);

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @RegisterExtension
    static final Installation CAISSON = new Installation().withMicrovms();

    @BeforeEach
    void look() {
        Assumptions.assumeTrue(Files.exists(Path.of("/dev/kvm")), "no /dev/kvm");
    }

    private static DriverInfo qemu() {
        return CAISSON.node().status().known().stream().filter(each -> each.name() == DriverName.QEMU).findFirst().orElseThrow();
    }

    @Test
    void aStatusDoesNotWaitForTheAnswerAndACreateThatNeedsItDoes() {
        long began = System.nanoTime();
        qemu();
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(AT_ONCE);
        try {
            CAISSON.node().delete(CAISSON.node().create(Shell.spec(Tier.MICROVM).withDriver(DriverName.QEMU)).id());
        } catch (SandboxException e) {
            assertThat(e.code()).isEqualTo(Failure.Code.TIER_UNAVAILABLE);
            assertThat(e.getMessage()).as("the answer").contains("KVM cannot run a guest here");
        }
        assertThat(qemu().isBeingTried()).isFalse();
    }

    @Test
    void whatIsStartedForATrialEndsWithTheNode() throws Exception {
        CAISSON.servers().kill(Servers.Kind.NODE);
        forgetAnswers();
        CAISSON.servers().start(Servers.Kind.NODE);
        qemu();
        await(() -> !tried().isEmpty(), "a trial");
        CAISSON.servers().kill(Servers.Kind.NODE);
        await(() -> tried().isEmpty(), "its end");
        CAISSON.servers().start(Servers.Kind.NODE);
    }

    private static Path answers() {
        return CAISSON.home().home().run().resolve("kvm");
    }

    private static void forgetAnswers() throws IOException {
        if (Files.isDirectory(answers())) {
            try (var files = Files.newDirectoryStream(answers(), "kvm-*")) {
                for (Path file : files) {
                    Files.delete(file);
                }
            }
        }
    }

    /// Processes that see a device file of a trial.
    private static List<Path> tried() throws IOException {
        try (var processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            var found = new ArrayList<Path>();
            for (Path process : processes) {
                try {
                    if (Files.readString(process.resolve("mountinfo")).contains(answers() + "/")) {
                        found.add(process);
                    }
                } catch (IOException _) {
                    // It has ended meanwhile.
                }
            }
            return found;
        }
    }

    private static void await(Callable<Boolean> holds, String what) throws Exception {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (!holds.call()) {
            assertThat(System.nanoTime()).as("waited for %s", what).isLessThan(until);
            Thread.sleep(5);
        }
    }
}
