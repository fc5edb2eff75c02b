package dev.caisson.api.mcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.json.JsonObject;
import dev.caisson.testing.Servers;
import dev.caisson.testing.TestHome;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Writer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The official Python client against a real installation: runs the programs in `compat/mcp`, over HTTP and over `caisson mcp`.
@Tag("machine")
@Timeout(value = 8, unit = TimeUnit.MINUTES)
class McpClientTest {
    private static final String ORIGIN = "https://chat.example.org";
    private static final Path PROGRAMS = Path.of("../compat/mcp").toAbsolutePath().normalize();
    private static final Path VENV = Path.of("target/mcp-venv").toAbsolutePath();

    @Test
    void theOfficialClientFindsWhatItNeeds() throws Exception {
        Path python = python();
        try (var home = TestHome.make(); var servers = new Servers(home)) {
            servers.start(Servers.Kind.DEADMAN);
            servers.start(Servers.Kind.NODE);
            var ready = JsonObject.parse(servers.start(Servers.Kind.FRONT, "--listen", "127.0.0.1:0", "--mcp-origins", ORIGIN).getBytes(StandardCharsets.UTF_8));
            String url = ready.text("url");
            String key = ready.text("key");
            var pytest = new ProcessBuilder(python.toString(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", PROGRAMS.toString()).redirectErrorStream(true);
            pytest.environment().put("PYTHONDONTWRITEBYTECODE", "1");
            pytest.environment().put("CAISSON_URL", url);
            pytest.environment().put("CAISSON_KEY", key);
            pytest.environment().put("CAISSON_OTHER_KEY", anotherKey(url, key));
            pytest.environment().put("CAISSON_MCP_TEST_ORIGIN", ORIGIN);
            pytest.environment().put("CAISSON_MCP_COMMAND", stdio().stream().map(word -> '"' + word + '"').collect(Collectors.joining(",", "[", "]")));
            String said = run(pytest);
            assertThat(said).as("pytest").contains(" passed").doesNotContain(" failed", " error", " skipped");
            assertThat(servers.log(Servers.Kind.FRONT)).as("the front's log").doesNotContain("fault=", "io.modelcontextprotocol");
            servers.node().deleteAll();
            assertThat(home.leftovers().after(Duration.ofSeconds(5))).isEmpty();
        }
    }

    @Test
    void overStdioItStartsWhatItNeedsAndLeavesNothing() throws Exception {
        try (var home = TestHome.make()) {
            var builder = new ProcessBuilder(stdio()).redirectError(home.path().resolve("stderr").toFile());
            builder.environment().remove("CAISSON_URL");
            builder.environment().put("CAISSON_HOME", home.path().toString());
            var process = builder.start();
            Writer in = process.outputWriter(StandardCharsets.UTF_8);
            try (var out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                in.write("""
                        {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}
                        {"jsonrpc":"2.0","method":"notifications/initialized"}
                        {"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"create_sandbox","arguments":{}}}
                        """);
                in.flush();
                assertThat(out.readLine()).contains("\"id\":0", "\"protocolVersion\":\"2025-06-18\"");
                assertThat(out.readLine()).contains("\"id\":\"a\"", "\"sandbox_id\":\"sb");
                in.write("not json\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"nope\"}\n");
                in.flush();
                var two = List.of(out.readLine(), out.readLine());
                assertThat(two).anyMatch(line -> line.contains("-32700")).anyMatch(line -> line.contains("\"id\":2") && line.contains("-32601"));
                in.close();
                assertThat(out.readLine()).isNull();
            }
            assertThat(process.waitFor(40, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).as(Files.readString(home.path().resolve("stderr"))).isZero();
            assertThat(home.leftovers().after(Duration.ofSeconds(5))).isEmpty();
        }
    }

    /// The command line as it was installed; `CAISSON_LIB` names its directory.
    private static List<String> stdio() throws IOException {
        var lib = Optional.ofNullable(System.getenv("CAISSON_LIB")).map(Path::of);
        Assumptions.assumeTrue(lib.isPresent() && Files.isReadable(lib.get().resolve("classpath")), "no CAISSON_LIB with the installed programs: run ./caisson test");
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+UseCompactObjectHeaders", "--enable-native-access=ALL-UNNAMED",
                "-cp", Files.readString(lib.orElseThrow().resolve("classpath")).strip(), "dev.caisson.cli.Main", "mcp");
    }

    private static String anotherKey(String url, String key) throws Exception {
        try (var client = HttpClient.newHttpClient()) {
            var request = HttpRequest.newBuilder(URI.create(url + "/v1/keys")).header("Authorization", "Bearer " + key).header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString("{\"name\":\"other\"}")).build();
            return Stream.of(client.send(request, HttpResponse.BodyHandlers.ofString()).body().split("\"")).filter(part -> part.startsWith("e2b_")).findFirst().orElseThrow();
        }
    }

    /// A Python with the pinned client, made once below target/.
    private static Path python() throws Exception {
        Path python = VENV.resolve("bin/python");
        Path made = VENV.resolve("requirements.txt");
        Path wanted = PROGRAMS.resolve("requirements.txt");
        if (!Files.exists(made) || Files.mismatch(made, wanted) >= 0) {
            Assumptions.assumeTrue(succeeds("python3", "-m", "venv", "--clear", VENV.toString()), "no python3 with venv on this machine");
            Assumptions.assumeTrue(succeeds(python.toString(), "-m", "pip", "install", "--quiet", "-r", wanted.toString()), "the Python client cannot be installed here");
            Files.copy(wanted, made);
        }
        return python;
    }

    private static boolean succeeds(String... command) throws Exception {
        try {
            return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
        } catch (IOException _) {
            return false;
        }
    }

    private static String run(ProcessBuilder builder) throws Exception {
        var process = builder.start();
        process.getOutputStream().close();
        var lines = new ArrayList<String>();
        try (var out = process.inputReader(StandardCharsets.UTF_8)) {
            out.lines().forEach(lines::add);
        }
        process.waitFor();
        return String.join("\n", lines);
    }
}
