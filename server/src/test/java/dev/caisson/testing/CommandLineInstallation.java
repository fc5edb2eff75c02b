package dev.caisson.testing;

import dev.caisson.json.JsonObject;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.jspecify.annotations.Nullable;

/// An installation that `caisson up --detach` keeps for the tests of one class, and `caisson down` ends; after each test the leak checker runs.
///
/// Register it as a static field with `@RegisterExtension`.
public final class CommandLineInstallation implements BeforeAllCallback, AfterEachCallback, AfterAllCallback {
    private final Supplier<List<String>> prefix;
    private @Nullable TestHome home;
    private @Nullable Launcher launcher;
    private String url = "";
    private String key = "";

    public CommandLineInstallation() {
        this(List::of);
    }

    /// @param prefix what every command line is started with; asked when the installation is started
    public CommandLineInstallation(Supplier<List<String>> prefix) {
        this.prefix = prefix;
    }

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        home = TestHome.make();
        launcher = Launcher.on(home.home()).in(prefix.get());
        var up = launcher.run("up", "--detach", "--json", "--listen", "127.0.0.1:0");
        if (up.status() != 0) {
            throw new AssertionError("caisson up: " + up.err());
        }
        var ready = JsonObject.parse(up.out());
        url = ready.text("url");
        key = ready.text("key");
    }

    /// The command line, which uses this installation.
    public Launcher caisson() {
        return present(launcher);
    }

    /// A request to the REST API as its first key.
    public HttpResponse<String> ask(String method, String path, byte[] body) throws IOException, InterruptedException {
        try (var client = HttpClient.newHttpClient()) {
            var request = HttpRequest.newBuilder(URI.create(url + path)).header("Authorization", "Bearer " + key).header("Content-Type", "application/json")
                    .timeout(Duration.ofMinutes(1)).method(method, HttpRequest.BodyPublishers.ofByteArray(body)).build();
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        }
    }

    public HttpResponse<String> ask(String method, String path, String body) throws IOException, InterruptedException {
        return ask(method, path, body.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        var left = present(home).leftovers().after(Duration.ofSeconds(5));
        if (!left.isEmpty()) {
            throw new AssertionError("left behind by " + context.getDisplayName() + ": " + left);
        }
    }

    @Override
    public void afterAll(ExtensionContext context) throws Exception {
        if (launcher != null && !url.isEmpty()) {
            var down = launcher.run("down");
            if (down.status() != 0) {
                throw new AssertionError("caisson down: " + down.err());
            }
            var left = present(home).leftovers().afterTheNode(Duration.ofSeconds(5));
            if (!left.isEmpty()) {
                throw new AssertionError("left behind by caisson down: " + left);
            }
        }
        if (home != null) {
            home.close();
        }
    }

    private static <T> T present(@Nullable T value) {
        if (value == null) {
            throw new IllegalStateException("the installation is not running");
        }
        return value;
    }
}
