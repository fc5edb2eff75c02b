package dev.caisson.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.caisson.testing.CommandLineInstallation;
import dev.caisson.testing.Launcher;
import dev.caisson.testing.Sink;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Each program of `examples/hostile` by `caisson run`, in both tiers: it is stopped, it says by what, and nothing of it is left. All of it happens in a
/// network without uplink, where a sink owns the addresses that some of them try.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class HostileExamplesTest {
    private static final Path EXAMPLES = Launcher.CHECKOUT.resolve("examples/hostile");
    private static final Sink SINK = open();

    /// Closed after the installation in it has ended.
    @RegisterExtension
    @Order(1)
    static final AfterAllCallback CLOSING = _ -> SINK.close();

    @RegisterExtension
    @Order(2)
    static final CommandLineInstallation CAISSON = new CommandLineInstallation(SINK::prefix);

    private static Sink open() {
        try {
            return Sink.open();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /// @param options smaller limits than the default ones, so that they are met soon
    /// @param says in what the program writes
    /// @param remark in the line after the run
    private record Example(String program, String options, int status, String says, String remark) {}

    private static final List<Example> ALL = List.of(
            new Example("fork_bomb.py", "--processes 64", 0, "what stopped it: a new process was refused with EAGAIN", "receipt sb"),
            new Example("memory_hog.py", "--memory 128MiB", 137, "holding 64 MiB", "stopped: out of memory (more with --memory)"),
            new Example("disk_filler.py", "--disk 64MiB --memory 256MiB", 0, "MiB; what stopped it: ENOSPC", "receipt sb"),
            new Example("host_secret_reader.py", "", 0, "secrets of the host: 0; what stopped it: the host's files are not there", "receipt sb"),
            new Example("metadata_thief.py", "", 0, "stolen: 0; what stopped it: there is no route to any of them", "receipt sb"),
            new Example("port_scanner.py", "", 0, "open: none; what stopped it: there is no route out of here", "receipt sb"),
            new Example("runaway_printer.py", "--output-limit 1MiB", 143, "I will not stop printing.", "stopped: it wrote more than its output limit"),
            new Example("sigterm_ignorer.py", "--timeout 2s", 124, "still here after", "stopped: its time of 2 s was over"),
            new Example("daemonizer.py", "", 0, "20 daemons are running on their own", "receipt sb"));

    static Stream<Arguments> everyExampleInBothTiers() {
        return ALL.stream().flatMap(example -> Stream.of("--tier gvisor", "--tier container --trust trusted").map(tier -> Arguments.of(example, tier)));
    }

    @ParameterizedTest
    @MethodSource("everyExampleInBothTiers")
    void isStoppedAndSaysByWhat(Example example, String tier) throws Exception {
        assumeTrue(!tier.contains("container") || CAISSON.caisson().run("status", "--json").text().contains("\"container\""), "this machine cannot give tier container");
        var words = new ArrayList<>(List.of("run"));
        Stream.of(tier, example.options()).flatMap(options -> Stream.of(options.split(" "))).filter(word -> !word.isEmpty()).forEach(words::add);
        words.add(EXAMPLES.resolve(example.program()).toString());
        var ran = CAISSON.caisson().run(words.toArray(String[]::new));
        assertThat(ran.err()).contains(example.remark());
        assertThat(ran.status()).as(ran.err()).isEqualTo(example.status());
        assertThat(ran.text()).contains(example.says()).doesNotContain("what stopped it: nothing", "STOLEN", "CONNECTED");
        assertThat(SINK.visitors()).as("who came out of the sandbox").isEmpty();
    }

    @Test
    void allOfThemAreTried() throws IOException {
        try (var files = Files.list(EXAMPLES)) {
            assertThat(files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".py"))).containsExactlyInAnyOrderElementsOf(ALL.stream().map(Example::program).toList());
        }
    }

    /// On the host itself each of them refuses to begin.
    @Test
    void noneOfThemRunsOutsideASandbox() throws Exception {
        for (var example : ALL) {
            assertThat(Files.readString(EXAMPLES.resolve(example.program()))).as(example.program()).contains("if not os.path.exists(\"/.caisson\"):\n    sys.exit(");
        }
    }
}
