package dev.caisson.cli;

import dev.caisson.client.Json;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/// The command lines of the four processes, and the wait until they are ready.
final class Launch {
    /// The system user that the front runs as.
    static final String FRONT_USER = "caisson";
    /// The system user that the gateway becomes once its sockets are open.
    static final String GATEWAY_USER = "caisson-gateway";
    /// All that it needs until then.
    private static final String GATEWAY_CAPABILITIES = "-all,+setuid,+setgid,+sys_admin,+net_admin,+net_bind_service,+chown,+fowner";

    private static final Duration READY_WITHIN = Duration.ofSeconds(60);
    private static final long POLL_MS = 5;

    /// For all: the serial collector and compact headers halve what Jetty keeps resident at rest (76 against 83 MB and more for the others, and they never shrink);
    /// what the compilers and others have allocated and freed goes back to the system every 5 seconds, or the second compiler's work would cost 25 MB each for good; a full
    /// heap ends the process, and its keeper starts it again; memory not in use goes back; buffers that threads keep for native calls stay small; a poller that is a
    /// platform thread wakes whom it polls for without a detour over a virtual one. Warnings of the JVM go to the log: standard output is where a process says that it is ready.
    private static final List<String> JVM = List.of(
            "-XX:+UseSerialGC", "-XX:+UseCompactObjectHeaders", "-XX:TrimNativeHeapInterval=5000", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-XX:MinHeapFreeRatio=10",
            "-XX:MaxHeapFreeRatio=25", "-XX:-ShrinkHeapInSteps", "-Xss512k", "-XX:ReservedCodeCacheSize=24m", "-Djdk.pollerMode=1", "-Djdk.nio.maxCachedBufferSize=131072", "-Dfile.encoding=UTF-8",
            "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-Xlog:disable", "-Xlog:all=warning:stderr");

    /// The gateway holds some KiB a connection of at most 16,384, and large buffers for 64 of them. Front and node hold at most 1 MiB a channel of at most some hundred streams; the deadman holds a journal's rows, and has nothing to do that is worth compiling twice.
    private static final Map<String, List<String>> HEAP = Map.of(
            "node", List.of("-Xms8m", "-Xmx192m", "-XX:MaxDirectMemorySize=48m"),
            "front", List.of("-Xms8m", "-Xmx192m", "-XX:MaxDirectMemorySize=48m"),
            "gateway", List.of("-Xms8m", "-Xmx128m", "-XX:MaxNewSize=8m", "-XX:MaxDirectMemorySize=32m"),
            "deadman", List.of("-XX:TieredStopAtLevel=1", "-Xms4m", "-Xmx24m", "-XX:MaxDirectMemorySize=8m"));

    private final Installation installation;
    private final Listening listening;
    private final boolean tied;
    private final String key;

    /// @param listening of the front
    /// @param tied they end when their standard input does
    Launch(Installation installation, Listening listening, boolean tied) {
        this.installation = installation;
        this.listening = listening;
        this.tied = tied;
        byte[] random = new byte[20];
        new SecureRandom().nextBytes(random);
        key = "e2b_" + HexFormat.of().formatHex(random);
    }

    /// Where the front listens, and how it and the gateway were told to behave.
    ///
    /// @param plain HOST:PORT
    /// @param options the front's options beside that, as it takes them; may be empty
    /// @param node the node's options, as it takes them; may be empty
    /// @param gateway the gateway's options, as it takes them; may be empty
    /// @param outside the network namespace that the gateway dials from, where it is not this machine's own
    record Listening(String plain, List<String> options, List<String> node, List<String> gateway, Optional<Path> outside) {
        Listening(String plain, List<String> options, List<String> node) {
            this(plain, options, node, List.of(), Optional.empty());
        }

        /// With ports that are free now where 0 was asked for, so that the front keeps its addresses when it is started again.
        Listening concrete() {
            var concrete = new ArrayList<>(options);
            int secure = concrete.indexOf("--tls-listen") + 1;
            if (secure > 0 && !concrete.get(secure).equals("off")) {
                concrete.set(secure, Launch.concrete(concrete.get(secure)));
            }
            return new Listening(Launch.concrete(plain), List.copyOf(concrete), node, gateway, outside);
        }
    }

    /// What the command line shows to this start of the installation.
    String key() {
        return key;
    }

    /// The whole command line of one process, in a session of its own, so that a Ctrl-C at the terminal does not reach it.
    List<String> command(String process) {
        var line = new ArrayList<String>(List.of("setsid"));
        if (process.equals("front")) {
            line.addAll(List.of("setpriv", "--reuid", FRONT_USER, "--regid", FRONT_USER, "--clear-groups", "--no-new-privs", "--inh-caps", "-all", "--bounding-set", "-all"));
        }
        if (process.equals("gateway")) {
            listening.outside().ifPresent(outside -> line.addAll(0, List.of("nsenter", "--net=" + outside, "--")));
            line.addAll(List.of("setpriv", "--no-new-privs", "--inh-caps", "-all", "--bounding-set", GATEWAY_CAPABILITIES));
        }
        line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        line.addAll(JVM);
        line.addAll(HEAP.getOrDefault(process, List.of()));
        cache(process).ifPresent(line::add);
        line.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.caisson.app." + mainClass(process), "--home", installation.home().toString()));
        if (process.equals("front")) {
            line.addAll(List.of("--listen", listening.plain(), "--local-key-sha256", sha256(key)));
            line.addAll(listening.options());
        }
        if (process.equals("node")) {
            line.addAll(listening.node());
        }
        if (process.equals("gateway")) {
            line.addAll(listening.gateway());
        }
        String origins = System.getenv("CAISSON_MCP_ORIGINS");
        if (process.equals("front") && origins != null && !origins.isBlank()) {
            line.addAll(List.of("--mcp-origins", origins));
        }
        if (tied) {
            line.add("--tied");
        }
        return line;
    }

    private static String mainClass(String process) {
        return switch (process) {
            case "node" -> "NodeMain";
            case "deadman" -> "DeadmanMain";
            case "gateway" -> "GatewayMain";
            case "front" -> "FrontMain";
            default -> throw new IllegalArgumentException("no process is called " + process);
        };
    }

    /// How the process uses its AOT cache, `NAME.aot` in the directory that the system property `caisson.lib` names, or, where `caisson.train` names one,
    /// makes it there when it ends.
    private static Optional<String> cache(String process) {
        String train = System.getProperty("caisson.train");
        if (train != null) {
            return Optional.of("-XX:AOTCacheOutput=" + Path.of(train, process + ".aot"));
        }
        return Optional.ofNullable(System.getProperty("caisson.lib")).map(lib -> Path.of(lib, process + ".aot")).filter(Files::isReadable).map(file -> "-XX:AOTCache=" + file);
    }

    static String sha256(String text) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /// HOST:PORT with a port that is free now where 0 was asked for, so that the front keeps its address when it is started again.
    static String concrete(String listen) {
        int colon = listen.lastIndexOf(':');
        if (colon < 1 || !listen.substring(colon + 1).matches("[0-9]{1,5}") || Integer.parseInt(listen.substring(colon + 1)) > 65_535) {
            throw new CliException("not an address to listen at: '" + listen + "'", "write it like 127.0.0.1:7070");
        }
        if (!listen.endsWith(":0")) {
            return listen;
        }
        String host = listen.substring(0, colon);
        try (var socket = new ServerSocket(0, 1, InetAddress.getByName(host.replaceAll("[\\[\\]]", "")))) {
            return host + ":" + socket.getLocalPort();
        } catch (IOException e) {
            throw new CliException("cannot listen at " + listen + ": " + e.getMessage(), "name an address of this machine", e);
        }
    }

    /// Makes the system users of the front and the gateway when there are none.
    static void ensureUsers() {
        ensureUser(FRONT_USER);
        ensureUser(GATEWAY_USER);
    }

    private static void ensureUser(String user) {
        try {
            if (Files.readAllLines(Path.of("/etc/passwd"), StandardCharsets.ISO_8859_1).stream().anyMatch(line -> line.startsWith(user + ":"))) {
                return;
            }
            var made = new ProcessBuilder("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", user)
                    .redirectErrorStream(true).start();
            made.getOutputStream().close();
            String said = new String(made.getInputStream().readNBytes(4096), StandardCharsets.UTF_8);
            if (!made.waitFor(30, TimeUnit.SECONDS) || made.exitValue() != 0) {
                throw new CliException("cannot make the system user " + user + ": " + said.strip(), "make it with: useradd --system --user-group " + user);
            }
        } catch (IOException e) {
            throw new CliException("cannot make the system user " + user + ": " + e.getMessage(), "make it with: useradd --system --user-group " + user, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CliException("interrupted", "try again", e);
        }
    }

    /// An empty file for what a process prints, which may be a key.
    void freshOutput(String process) throws IOException {
        var file = installation.output(process);
        Files.deleteIfExists(file);
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }

    /// Waits until a process has printed its line.
    ///
    /// @param started ends when the process has
    /// @param logStart where in its log this start began
    ///
    /// Without a gateway sandboxes run all the same, they only reach nothing: that is said, and nothing else is the matter.
    String awaitReady(String process, Process started, long logStart) {
        if (!process.equals("gateway")) {
            return awaitLine(process, started, logStart);
        }
        try {
            return awaitLine(process, started, logStart);
        } catch (CliException e) {
            Console.failure("sandboxes have no way out: " + e.getMessage(), e.remedy());
            return "";
        }
    }

    private String awaitLine(String process, Process started, long logStart) {
        long deadline = System.nanoTime() + READY_WITHIN.toNanos();
        while (true) {
            boolean alive = started.isAlive();
            try {
                var file = installation.output(process);
                String line = Files.exists(file) ? Files.readString(file) : "";
                if (line.endsWith("\n")) {
                    return line.strip();
                }
                if (!alive || Files.readString(installation.log(process)).indexOf("\nkeep: ", (int) logStart) >= 0) {
                    throw installation.whyNot(process, logStart);
                }
                if (System.nanoTime() > deadline) {
                    throw new CliException("the " + process + " was not ready within " + READY_WITHIN.toSeconds() + " s", "see " + installation.log(process));
                }
                Thread.sleep(POLL_MS);
            } catch (IOException e) {
                throw new CliException("cannot read what the " + process + " said: " + e.getMessage(), "see " + installation.log(process), e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CliException("interrupted", "try again", e);
            }
        }
    }

    /// What the front said when it was ready.
    ///
    /// @param key a key for people, made just now because there was none; empty otherwise
    /// @param domain of previews; may be empty
    /// @param authority certificate to trust, PEM; may be empty
    record Front(String url, String key, String domain, String authority) {
        static Front of(String line) {
            try {
                var json = Json.parseObject(line);
                return new Front(json.text("url"), json.text("key", ""), json.text("domain", ""), json.text("ca", ""));
            } catch (IllegalArgumentException e) {
                throw new CliException("the front said what is not understood: " + line, "use one version of Caisson throughout", e);
            }
        }
    }
}
