package dev.caisson.compatibility;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.caisson.json.JsonObject;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The published clients of E2B, at the versions that `compat/e2b/sdk` pins, against a whole installation. They are installed below `target/`; where that is
/// not possible the test fails.
@Tag("machine")
@Timeout(value = 8, unit = TimeUnit.MINUTES)
class E2bClientsTest {
    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    private static final Path PROGRAMS = Path.of("..", "compat", "e2b", "sdk").toAbsolutePath().normalize();
    private static final Path WORK = Path.of("target", "compat-e2b").toAbsolutePath();
    private static String url = "";
    private static String key = "";

    @BeforeAll
    static void startFront() throws IOException {
        var ready = JsonObject.parse(INSTALLATION.servers().start(Servers.Kind.FRONT, "--listen", "127.0.0.1:0").getBytes(StandardCharsets.UTF_8));
        url = ready.text("url");
        key = ready.text("key");
        Files.createDirectories(WORK);
    }

    @Test
    void pythonWorksUnchanged() throws Exception {
        Path python = WORK.resolve("venv/bin/python");
        if (!Files.exists(python)) {
            run(PROGRAMS, "python3", "-m", "venv", WORK.resolve("venv").toString());
        }
        run(PROGRAMS, python.toString(), "-m", "pip", "install", "-q", "-r", "requirements.txt");
        String said = run(PROGRAMS, python.toString(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sdk.py");
        assertTrue(said.contains("12 passed"), said);
    }

    @Test
    void javaScriptWorksUnchanged() throws Exception {
        for (String name : List.of("package.json", "sdk.test.js")) {
            Files.write(WORK.resolve(name), Files.readAllBytes(PROGRAMS.resolve(name)));
        }
        run(WORK, "npm", "install", "--no-audit", "--no-fund", "--silent");
        String said = run(WORK, "node", "--test", "--test-reporter=tap", "sdk.test.js");
        assertTrue(said.contains("# pass 5"), said);
    }

    private static String run(Path directory, String... command) throws IOException, InterruptedException {
        var builder = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true);
        builder.environment().putAll(Map.of("E2B_API_URL", url, "E2B_SANDBOX_URL", url, "E2B_API_KEY", key, "PYTHONDONTWRITEBYTECODE", "1"));
        Process process = builder.start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), () -> String.join(" ", command) + ":\n" + said);
        return said;
    }
}
