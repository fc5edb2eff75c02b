package dev.caisson.compatibility;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.caisson.json.JsonObject;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;

/// Programs of `compat/e2b` that use published clients of E2B, run against a front of an installation's.
///
/// The clients are installed below `target/`, at the versions that the programs pin; where that is not possible the test fails.
final class ClientPrograms {
    private final Path programs;
    private final Path work;
    private Map<String, String> environment = Map.of();

    /// @param name of the directory below `compat/e2b`
    ClientPrograms(String name) {
        programs = Path.of("..", "compat", "e2b", name).toAbsolutePath().normalize();
        work = Path.of("target", "compat-e2b", name).toAbsolutePath();
    }

    void startFront(Installation installation) throws IOException {
        Files.createDirectories(work);
        var ready = JsonObject.parse(installation.servers().start(Servers.Kind.FRONT, "--listen", "127.0.0.1:0").getBytes(StandardCharsets.UTF_8));
        String url = ready.text("url");
        environment = Map.of("E2B_API_URL", url, "E2B_SANDBOX_URL", url, "E2B_API_KEY", ready.text("key"), "PYTHONDONTWRITEBYTECODE", "1");
    }

    /// Runs one file of tests with pytest; answers what it said.
    String python(String file) throws IOException, InterruptedException {
        Path python = work.resolve("venv/bin/python");
        if (!Files.exists(python)) {
            run(programs, "python3", "-m", "venv", work.resolve("venv").toString());
        }
        run(programs, python.toString(), "-m", "pip", "install", "-q", "-r", "requirements.txt");
        return run(programs, python.toString(), "-m", "pytest", "-q", "-p", "no:cacheprovider", file);
    }

    /// Runs one file of tests with Node's own runner; answers what it said. It does not wait for connections and timers that a client leaves behind.
    String node(String file) throws IOException, InterruptedException {
        for (String name : List.of("package.json", "package-lock.json", file)) {
            Files.copy(programs.resolve(name), work.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
        run(work, "npm", "ci", "--no-audit", "--no-fund", "--silent");
        return run(work, "node", "--test", "--test-force-exit", "--test-reporter=tap", file);
    }

    private String run(Path directory, String... command) throws IOException, InterruptedException {
        var builder = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), () -> String.join(" ", command) + ":\n" + said);
        return said;
    }
}
