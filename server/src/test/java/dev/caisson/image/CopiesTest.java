package dev.caisson.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Interpreters that ran before their machine was copied: their random numbers differ between copies from the first run on (`copies_test.py`).
///
/// With this machine's own Python, Bash and Node; for what of it is missing here, run the same program inside the template.
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class CopiesTest {
    private static final Path PYTHON = Path.of("/usr/bin/python3");

    @Test
    void copiesOfAWarmInterpreterDifferInTheirRandomNumbers() throws Exception {
        assumeThat(Files.isExecutable(PYTHON)).as("skipped: needs " + PYTHON).isTrue();
        var builder = new ProcessBuilder(PYTHON.toString(), "-B", "src/test/resources/dev/caisson/image/copies_test.py", "src/main/resources/dev/caisson/image/code-interpreter-v1");
        var process = builder.redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        assertThat(said.lines().filter(line -> line.endsWith(": yes"))).as(said).hasSizeGreaterThanOrEqualTo(6);
        assertThat(said.lines()).allMatch(line -> line.endsWith(": yes") || line.startsWith("without "));
    }
}
