package dev.caisson.client;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One installation of Caisson.
///
/// ```java
/// try (var sandbox = Caisson.connect().create(SandboxOptions.defaults())) {
///     var result = sandbox.run("python3", "-c", "print(1)");
/// }
/// ```
///
/// Threads: safe for many.
/// Cleanup: close ends connections kept for the next call; sandboxes live on.
public final class Caisson implements AutoCloseable {
    private static final Path DEFAULT_HOME = Path.of("/var/lib/caisson");

    private final Http http;

    private Caisson(Endpoint endpoint) {
        http = new Http(endpoint);
    }

    /// The installation that CAISSON_URL and CAISSON_KEY name; without them the one of this machine, in CAISSON_HOME (default `/var/lib/caisson`), for root.
    ///
    /// Nothing is sent yet.
    /// Errors: `not-running` when there is none, or it is not ours to read.
    public static Caisson connect() {
        String url = System.getenv("CAISSON_URL");
        String key = System.getenv("CAISSON_KEY");
        if (url != null && !url.isBlank()) {
            return connect(url, key == null ? "" : key.strip());
        }
        String home = System.getenv("CAISSON_HOME");
        return connectLocal(home == null || home.isEmpty() ? DEFAULT_HOME : Path.of(home));
    }

    /// @param url such as `https://caisson.example.org`
    /// @param key made with `caisson key create`
    public static Caisson connect(String url, String key) {
        return new Caisson(Endpoint.of(url, key));
    }

    /// The installation of this machine in that directory; reads the key that only root may read.
    public static Caisson connectLocal(Path home) {
        try {
            return connect(Files.readString(home.resolve("run/front.url")).strip(), Files.readString(home.resolve("run/cli.key")).strip());
        } catch (java.nio.file.AccessDeniedException e) {
            throw notRunning("the key in " + home + "/run is for root only", "run it as root, or set CAISSON_URL and CAISSON_KEY", e);
        } catch (IOException e) {
            throw notRunning("no Caisson is running in " + home, "start it with `caisson up`, or set CAISSON_URL and CAISSON_KEY", e);
        }
    }

    private static CaissonException notRunning(String what, String remedy, @Nullable Throwable cause) {
        return new CaissonException("not-running", 0, what, remedy, cause);
    }

    /// Where it listens.
    public String url() {
        return http.endpoint().toString();
    }

    /// Makes a sandbox and waits until it can run commands. When it fails nothing of it is left.
    public Sandbox create(SandboxOptions options) {
        return new Sandbox(http, SandboxInfo.of(http.ask("POST", "/v1/sandboxes", Body.json(options.json()))));
    }

    /// A sandbox that is there already.
    public Sandbox sandbox(String id) {
        return new Sandbox(http, SandboxInfo.of(http.get("/v1/sandboxes/" + Http.escape(id))));
    }

    /// Ends a sandbox by its id and waits for its receipt; that of one that has ended already is answered as well.
    public Receipt delete(String id) {
        return Receipt.of(http.ask("DELETE", "/v1/sandboxes/" + Http.escape(id), new Body.None()));
    }

    /// Freezes a sandbox by its id; see [Sandbox#pause].
    public SandboxInfo pause(String id) {
        return SandboxInfo.of(http.ask("POST", "/v1/sandboxes/" + Http.escape(id) + "/pause", new Body.None()));
    }

    /// Lets a paused sandbox go on; see [Sandbox#resume].
    public SandboxInfo resume(String id, Duration lease) {
        return SandboxInfo.of(http.ask("POST", "/v1/sandboxes/" + Http.escape(id) + "/resume", Body.json(Json.object().put("lease_seconds", Words.seconds(lease)).done())));
    }

    /// What a sandbox has tried to reach, oldest first; also of one that has ended, for as long as its log is kept.
    ///
    /// @param after only entries whose number is greater; 0 for all that are kept
    /// @param limit 1 to 1,000
    public List<Flow> flows(String id, long after, int limit) {
        return Answers.list(http.get("/v1/sandboxes/" + Http.escape(id) + "/flows?after=" + after + "&limit=" + limit), "flows", Flow::of);
    }

    /// The living sandboxes, oldest first.
    public List<SandboxInfo> list() {
        var all = new ArrayList<SandboxInfo>();
        String after = "";
        do {
            var page = http.get("/v1/sandboxes?limit=1000" + (after.isEmpty() ? "" : "&after=" + Http.escape(after)));
            all.addAll(Answers.list(page, "sandboxes", SandboxInfo::of));
            after = page.text("next", "");
        } while (!after.isEmpty());
        return all;
    }

    public Receipt receipt(String id) {
        return Receipt.of(http.get("/v1/receipts/" + Http.escape(id)));
    }

    /// The newest receipts, newest first.
    ///
    /// @param limit 1 to 1,000
    public List<Receipt> receipts(int limit) {
        return Answers.list(http.get("/v1/receipts?limit=" + limit), "receipts", Receipt::of);
    }

    public Keys keys() {
        return new Keys(http);
    }

    public NodeStatus status() {
        return NodeStatus.of(http.get("/v1/status"));
    }

    /// Answers when the installation can make sandboxes; throws what is wrong otherwise.
    public void checkHealth() {
        http.get("/v1/health");
    }

    @Override
    public void close() {
        http.close();
    }
}
