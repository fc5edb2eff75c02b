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
        boolean go = Stream.of(System.getenv("PATH").split(":")).anyMatch(directory -> Files.isExecutable(Path.of(directory, "go")));
        Assumptions.assumeTrue(go, "no Go here: install Go 1.26");
        Path directory = Path.of("target", "go", version).toAbsolutePath();
        if (Arrays.stream(packages).allMatch(each -> Files.isExecutable(directory.resolve(each.substring(each.lastIndexOf('/') + 1))))) {
            return directory;
        }
        var command = new ArrayList<>(List.of("go", "install"));
        for (String each : packages) {
            command.add(each + "@" + version);
        }
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("GOBIN", directory.toString());
        builder.environment().put("CGO_ENABLED", "0");
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        return directory;
    }
}
