package dev.caisson.testing;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// A network namespace without uplink that owns every address a probe aims at, with a listener that writes down whoever reaches it.
///
/// The product under test runs inside it, so that even a leak reaches nothing real. Cleanup: close removes it all.
public final class Sink implements AutoCloseable {
    /// Metadata services, private, public (documentation) and IPv6 addresses.
    public static final List<String> ADDRESSES = List.of("169.254.169.254", "169.254.170.2", "100.100.100.200", "10.11.12.13", "172.16.5.5", "192.168.77.1", "203.0.113.7", "8.8.8.8", "fd00:ec2::254", "2001:db8::7");
    public static final int PORT = 80;

    private static final String LISTENER =
            """
            import socket, sys, threading
            def tell(what):
                with open(sys.argv[1], 'a') as log:
                    log.write(what + '\\n')
            def streams(s):
                while True:
                    c, peer = s.accept()
                    tell('%s from %s' % (c.getsockname()[0], peer[0]))
                    c.close()
            def datagrams(s):
                while True:
                    _, peer = s.recvfrom(4096)
                    tell('datagram from %s' % peer[0])
            for family, address in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
                for kind, port, serve in ((socket.SOCK_STREAM, 80, streams), (socket.SOCK_DGRAM, 53, datagrams)):
                    s = socket.socket(family, kind)
                    if family == socket.AF_INET6:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    s.bind((address, port))
                    if kind == socket.SOCK_STREAM:
                        s.listen(64)
                    threading.Thread(target=serve, args=(s,)).start()
            print('listening', flush=True)
            """;

    private final String name;
    private final Path log;
    private final Process listener;

    private Sink(String name, Path log, Process listener) {
        this.name = name;
        this.log = log;
        this.listener = listener;
    }

    public static Sink open() throws IOException, InterruptedException {
        String name = "caisson-sink-" + ProcessHandle.current().pid();
        must("ip", "netns", "add", name);
        must("ip", "-n", name, "link", "set", "lo", "up");
        for (String address : ADDRESSES) {
            must("ip", "-n", name, "addr", "add", address + (address.contains(":") ? "/128" : "/32"), "dev", "lo", address.contains(":") ? "nodad" : "noprefixroute");
        }
        Path log = Files.createTempFile("caisson-sink", ".log");
        var listener = new ProcessBuilder("nsenter", "--net=/run/netns/" + name, "python3", "-c", LISTENER, log.toString()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        var out = new BufferedReader(new InputStreamReader(listener.getInputStream(), StandardCharsets.UTF_8));
        if (!"listening".equals(out.readLine())) {
            throw new IOException("the sink does not listen");
        }
        return new Sink(name, log, listener);
    }

    /// What makes a command run inside.
    public List<String> prefix() {
        return List.of("nsenter", "--net=/run/netns/" + name);
    }

    /// Who reached it so far.
    public List<String> visitors() throws IOException {
        return Files.readAllLines(log);
    }

    /// Reaches an address from inside the namespace itself: proof that the sink hears what gets there.
    public void visit(String address) throws IOException, InterruptedException {
        var command = new ArrayList<>(prefix());
        command.addAll(List.of("python3", "-c", "import socket,sys; socket.create_connection((sys.argv[1], 80), 5).close()", address));
        must(command.toArray(String[]::new));
    }

    @Override
    public void close() throws IOException {
        try {
            listener.destroyForcibly();
            listener.waitFor(10, TimeUnit.SECONDS);
            must("ip", "netns", "del", name);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        Files.deleteIfExists(log);
    }

    private static void must(String... command) throws IOException, InterruptedException {
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + said);
        }
    }
}
