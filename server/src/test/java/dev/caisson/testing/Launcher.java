package dev.caisson.testing;

import dev.caisson.host.Home;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/// `./caisson` of this checkout as a person types it, on a test's own home, which looks as `./caisson setup` leaves one: its programs are links to those
/// that are installed in CAISSON_HOME.
///
/// @param home where it works
/// @param prefix what it is started with, such as `nsenter --net=…`
/// @param variables added to its environment
public record Launcher(Home home, List<String> prefix, Map<String, String> variables) {
    public static final Path CHECKOUT = Path.of("..").toAbsolutePath().normalize();
    private static final Path PROGRAM = CHECKOUT.resolve("caisson");
    private static final long LONGEST_SECONDS = 120;

    public Launcher {
        prefix = List.copyOf(prefix);
        variables = Map.copyOf(variables);
    }

    /// What a run wrote and how it ended.
    public record Ran(int status, byte[] out, String err) {
        public String text() {
            return new String(out, StandardCharsets.UTF_8);
        }
    }

    /// Makes the home ready for it; skips the test where the programs that are installed are not this checkout's.
    public static Launcher on(Home home) throws IOException, InterruptedException {
        Path installed = Path.of(Optional.ofNullable(System.getenv("CAISSON_HOME")).orElse("/var/lib/caisson")).toRealPath();
        var check = new Launcher(new Home(installed), List.of(), Map.of()).run("setup", "--check");
        Assumptions.assumeTrue(check.text().contains("ok       programs: "), "the programs in " + installed + " are not of this checkout: run ./caisson setup");
        String build = Files.readAllLines(installed.resolve("lib/current")).get(2);
        Path lib = Files.createDirectories(home.path().resolve("lib"));
        Files.createSymbolicLink(lib.resolve(build), installed.resolve("lib").resolve(build));
        // Copied without its time: nothing of the sources is newer than this moment.
        Files.copy(installed.resolve("lib/current"), lib.resolve("current"));
        Files.writeString(home.path().resolve("ready"), build + "\n");
        return new Launcher(home, List.of(), Map.of());
    }

    public Launcher in(List<String> otherPrefix) {
        return new Launcher(home, otherPrefix, variables);
    }

    public Launcher with(String name, String value) {
        return new Launcher(home, prefix, Map.of(name, value));
    }

    /// `caisson WORDS…` with nothing on standard input.
    public Ran run(String... words) throws IOException, InterruptedException {
        return run(new byte[0], words);
    }

    public Ran run(byte[] input, String... words) throws IOException, InterruptedException {
        var command = new ArrayList<>(prefix);
        command.add(PROGRAM.toString());
        command.addAll(List.of(words));
        return run(input, command);
    }

    /// A script of bash, for what only a shell can type; `"$CAISSON"` is the program.
    public Ran bash(String script) throws IOException, InterruptedException {
        var command = new ArrayList<>(prefix);
        command.addAll(List.of("bash", "-c", script));
        return run(new byte[0], command);
    }

    private Ran run(byte[] input, List<String> command) throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("caisson-ran");
        try {
            Path in = Files.write(directory.resolve("in"), input);
            Path out = directory.resolve("out");
            Path err = directory.resolve("err");
            var process = start(command).redirectInput(in.toFile()).redirectOutput(out.toFile()).redirectError(err.toFile()).start();
            if (!process.waitFor(LONGEST_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError(command + " has not ended within " + LONGEST_SECONDS + " s: " + Files.readString(err));
            }
            return new Ran(process.exitValue(), Files.readAllBytes(out), Files.readString(err, StandardCharsets.ISO_8859_1));
        } finally {
            try (var files = Files.list(directory)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(directory);
        }
    }

    /// `caisson WORDS…`, for who has more to do with it than to wait for it.
    public ProcessBuilder start(String... words) {
        var command = new ArrayList<>(prefix);
        command.add(PROGRAM.toString());
        command.addAll(List.of(words));
        return start(command);
    }

    private ProcessBuilder start(List<String> command) {
        var builder = new ProcessBuilder(command);
        var environment = builder.environment();
        environment.keySet().removeIf(name -> name.startsWith("CAISSON_"));
        environment.put("CAISSON_HOME", home.path().toString());
        environment.put("CAISSON", PROGRAM.toString());
        environment.put("NO_COLOR", "1");
        environment.putAll(variables);
        return builder;
    }
}
