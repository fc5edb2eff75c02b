package dev.caisson.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A port inside a sandbox is reached from outside through its agent, and nothing of a connection stays behind.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class DialTest {
    /// Answers what it got, once its client has said that no more comes; or floods, or drains, by the first byte.
    private static final String SERVER = """
            import socket, threading
            server = socket.create_server(('127.0.0.1', 4000))
            print('up', flush=True)
            def serve(c):
                with c:
                    kind = c.recv(1)
                    if kind == b'e':
                        got = b''
                        while piece := c.recv(65536): got += piece
                        c.sendall(b'got ' + got)
                    elif kind == b'f':
                        piece = b'x' * 65536
                        for _ in range(800): c.sendall(piece)
                    elif kind == b'd':
                        c.shutdown(socket.SHUT_WR)
                        count = 0
                        while piece := c.recv(65536): count += len(piece)
                        print('drained', count, flush=True)
                    elif kind == b'r':
                        import struct
                        c.sendall(b'begun')
                        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
            """;

    @RegisterExtension
    static final Installation HOUSE = new Installation();

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aWebServerOnLoopbackAnswers(Tier tier) throws Exception {
        var shell = HOUSE.shell(tier);
        shell.bash("mkdir -p /tmp/www && echo hello > /tmp/www/index.html");
        try (var server = HOUSE.node().run(shell.id(), CommandSpec.of("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/tmp/www", "8000"))) {
            awaitOutput(server);
            try (var port = HOUSE.node().dial(shell.id(), 8000)) {
                write(port, "GET /index.html HTTP/1.0\r\n\r\n");
                assertThat(all(port)).startsWith("HTTP/1.0 200 OK").endsWith("hello\n");
            }
            assertThatThrownBy(() -> HOUSE.node().dial(shell.id(), 8001)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.PORT_CLOSED));
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void eitherSideMayFinishFirstAndMuchMayPass(Tier tier) throws Exception {
        var shell = HOUSE.shell(tier);
        var node = HOUSE.node();
        try (var server = node.run(shell.id(), CommandSpec.of("python3", "-c", SERVER))) {
            awaitOutput(server);
            try (var port = node.dial(shell.id(), 4000)) {
                write(port, "ehalf closed");
                port.finish();
                assertThat(all(port)).isEqualTo("got half closed");
            }
            try (var port = node.dial(shell.id(), 4000)) {
                write(port, "d");
                assertThat(port.next()).as("the other end has finished").isEmpty();
                byte[] piece = new byte[65_536];
                for (int i = 0; i < 100; i++) {
                    port.write(ByteBuffer.wrap(piece));
                }
                port.finish();
                assertThat(awaitOutput(server)).isEqualTo("drained " + 100 * piece.length);
            }
            long before = resident();
            try (var port = node.dial(shell.id(), 4000)) {
                write(port, "f");
                // Nobody reads for a while: what is under way is bounded.
                Thread.sleep(1_500);
                assertThat(resident() - before).as("KiB more in the node").isLessThan(30_000);
                long count = 0;
                for (Optional<ByteBuffer> bytes = port.next(); bytes.isPresent(); bytes = port.next()) {
                    count += bytes.get().remaining();
                }
                assertThat(count).isEqualTo(800L * 65_536);
            }
            assertThat(resident() - before).isLessThan(40_000);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aResetInMidStreamLeavesNothing(Tier tier) throws Exception {
        var shell = HOUSE.shell(tier);
        var node = HOUSE.node();
        try (var server = node.run(shell.id(), CommandSpec.of("python3", "-c", SERVER))) {
            awaitOutput(server);
            for (int i = 0; i < 20; i++) {
                // We go away in the middle of a flood.
                try (var port = node.dial(shell.id(), 4000)) {
                    write(port, "f");
                    assertThat(port.next()).isPresent();
                }
                // The server goes away.
                try (var port = node.dial(shell.id(), 4000)) {
                    write(port, "r");
                    endsSomehow(port);
                }
            }
            String open = "ls /proc/1/fd | wc -l";
            long first = Long.parseLong(new Shell(node, shell.id()).run(java.time.Duration.ofMinutes(1), "root", "bash", "-c", open).out().strip());
            for (int i = 0; i < 10; i++) {
                try (var port = node.dial(shell.id(), 4000)) {
                    write(port, "f");
                    assertThat(port.next()).isPresent();
                }
            }
            Thread.sleep(300);
            long last = Long.parseLong(new Shell(node, shell.id()).run(java.time.Duration.ofMinutes(1), "root", "bash", "-c", open).out().strip());
            assertThat(last).as("descriptors of the agent").isLessThanOrEqualTo(first + 2);
            assertThat(shell.run("echo", "alive").out()).isEqualTo("alive\n");
        }
    }

    private static void endsSomehow(PortConnection port) throws InterruptedException {
        try {
            while (port.next().isPresent()) {
                // Until the end, or the news that it broke.
            }
        } catch (SandboxException e) {
            assertThat(e.code()).isEqualTo(Failure.Code.GUEST_FAILED);
        }
    }

    private static String awaitOutput(dev.caisson.sandbox.CommandStream stream) throws InterruptedException {
        while (true) {
            if (stream.next() instanceof CommandEvent.Output output) {
                return StandardCharsets.UTF_8.decode(output.data()).toString().strip();
            }
        }
    }

    private static void write(PortConnection port, String text) throws InterruptedException {
        port.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static String all(PortConnection port) throws InterruptedException {
        var all = new ByteArrayOutputStream();
        for (Optional<ByteBuffer> bytes = port.next(); bytes.isPresent(); bytes = port.next()) {
            byte[] piece = new byte[bytes.get().remaining()];
            bytes.get().get(piece);
            all.writeBytes(piece);
        }
        return all.toString(StandardCharsets.UTF_8);
    }

    /// Resident memory of the node. Unit: KiB.
    private static long resident() throws IOException {
        String status = Files.readString(Path.of("/proc/" + HOUSE.servers().pid(Kind.NODE) + "/status"));
        return Long.parseLong(status.lines().filter(line -> line.startsWith("VmRSS:")).findFirst().orElseThrow().replaceAll("[^0-9]", ""));
    }
}
