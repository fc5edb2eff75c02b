package dev.caisson.testing;

import dev.caisson.remote.RemoteSandboxes;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// The real processes of an installation, started and killed by a test.
///
/// Cleanup: close ends those that run, in the order front, node, gateway, deadman.
public final class Servers implements AutoCloseable {
    public enum Kind {
        FRONT("dev.caisson.app.FrontMain"),
        NODE("dev.caisson.app.NodeMain"),
        GATEWAY("dev.caisson.app.GatewayMain"),
        DEADMAN("dev.caisson.app.DeadmanMain");

        private final String main;

        Kind(String main) {
            this.main = main;
        }
    }

    private final TestHome home;
    private final Map<Kind, Process> running = new EnumMap<>(Kind.class);

    private final List<String> prefix;

    public Servers(TestHome home) {
        this(home, List.of());
    }

    /// @param prefix what each process is started with, such as `nsenter --net=…`
    public Servers(TestHome home, List<String> prefix) {
        this.home = home;
        this.prefix = List.copyOf(prefix);
    }

    /// Starts one and waits until it is ready; answers its ready line.
    public String start(Kind kind, String... more) throws IOException {
        var command = new ArrayList<>(prefix);
        if (kind == Kind.GATEWAY) {
            command.addAll(List.of("setpriv", "--no-new-privs"));
        }
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC", "-XX:+UseCompactObjectHeaders", "-XX:TieredStopAtLevel=1", "-Xmx128m",
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), kind.main, "--home", home.path().toString(), "--tied"));
        command.addAll(Arrays.asList(more));
        File log = home.home().log().resolve(kind.name().toLowerCase(java.util.Locale.ROOT) + ".log").toFile();
        var process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.appendTo(log)).start();
        running.put(kind, process);
        var out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String ready = out.readLine();
        if (ready == null) {
            throw new IOException(kind + " did not start: " + Files.readString(log.toPath()));
        }
        return ready;
    }

    public long pid(Kind kind) {
        return process(kind).pid();
    }

    /// SIGKILL, and waits until it is gone.
    public void kill(Kind kind) throws InterruptedException {
        var process = process(kind);
        process.destroyForcibly();
        process.waitFor();
        running.remove(kind);
    }

    /// SIGTERM, and waits until it is gone. It stays tied to us until then.
    public void terminate(Kind kind) throws IOException, InterruptedException {
        signal(kind, "TERM");
        awaitGone(kind);
    }

    /// The same, and lets go of it: whichever it notices first.
    public void stop(Kind kind) throws InterruptedException {
        process(kind).destroy();
        awaitGone(kind);
    }

    private void awaitGone(Kind kind) throws InterruptedException {
        var process = process(kind);
        if (!process.waitFor(20, TimeUnit.SECONDS)) {
            throw new IllegalStateException(kind + " did not end within 20 s of SIGTERM");
        }
        running.remove(kind);
    }

    public void signal(Kind kind, String signal) throws IOException, InterruptedException {
        new ProcessBuilder("kill", "-" + signal, Long.toString(pid(kind))).start().waitFor();
    }

    public boolean isRunning(Kind kind) {
        return running.containsKey(kind) && running.get(kind).isAlive();
    }

    /// The node's sandboxes, asked as the front asks.
    public RemoteSandboxes node() {
        return RemoteSandboxes.connect(home.home().nodeSocket());
    }

    public String log(Kind kind) throws IOException {
        return Files.readString(home.home().log().resolve(kind.name().toLowerCase(java.util.Locale.ROOT) + ".log"));
    }

    /// Waits until a process has logged a text.
    public void awaitLog(Kind kind, String text, Duration atMost) throws IOException, InterruptedException {
        long until = System.nanoTime() + atMost.toNanos();
        while (!log(kind).contains(text)) {
            if (System.nanoTime() > until) {
                throw new AssertionError(kind + " has not logged '" + text + "' within " + atMost + ": " + log(kind));
            }
            Thread.sleep(10);
        }
    }

    private Process process(Kind kind) {
        var process = running.get(kind);
        if (process == null) {
            throw new IllegalStateException(kind + " is not running");
        }
        return process;
    }

    @Override
    public void close() {
        try {
            for (Kind kind : Kind.values()) {
                if (running.containsKey(kind)) {
                    stop(kind);
                }
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
