package dev.caisson.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// Programs that tests need, built from their Go modules at a pinned version below `target/`, once.
public final class GoPrograms {
    private GoPrograms() {}

    /// The directory that holds them. Without Go on this machine the test is skipped; where they cannot be built it fails.
    ///
    /// @param packages their last parts are the programs' names
    public static Path at(String version, String... packages) throws IOException, InterruptedException {
        needGo();
        Path directory = Path.of("target", "go", version).toAbsolutePath();
        if (Arrays.stream(packages).allMatch(each -> Files.isExecutable(directory.resolve(each.substring(each.lastIndexOf('/') + 1))))) {
            return directory;
        }
        var command = new ArrayList<>(List.of("go", "install"));
        for (String each : packages) {
            command.add(each + "@" + version);
        }
        run(new ProcessBuilder(command), directory);
        return directory;
    }

    /// The directory that holds programs of a module of ours, built from its sources as they are now.
    ///
    /// @param packages directories of the module, which are the programs' names
    public static Path built(Path module, String... packages) throws IOException, InterruptedException {
        needGo();
        Path directory = Path.of("target", "go", module.getFileName().toString()).toAbsolutePath();
        var command = new ArrayList<>(List.of("go", "install", "-trimpath", "-ldflags", "-s -w"));
        for (String each : packages) {
            command.add("./" + each);
        }
        run(new ProcessBuilder(command).directory(module.toFile()), directory);
        return directory;
    }

    private static void needGo() {
        boolean go = Stream.of(System.getenv("PATH").split(":")).anyMatch(directory -> Files.isExecutable(Path.of(directory, "go")));
        Assumptions.assumeTrue(go, "no Go here: install Go 1.26");
    }

    private static void run(ProcessBuilder builder, Path directory) throws IOException, InterruptedException {
        builder.redirectErrorStream(true);
        builder.environment().put("GOBIN", directory.toString());
        builder.environment().put("CGO_ENABLED", "0");
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
    }
}
