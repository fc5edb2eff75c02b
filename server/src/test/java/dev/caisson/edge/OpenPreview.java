package dev.caisson.edge;

import dev.caisson.api.Doors;
import dev.caisson.api.HttpListener;
import dev.caisson.api.ListenSettings;
import dev.caisson.api.PreviewDomain;
import dev.caisson.fake.FakeSandboxes;
import dev.caisson.policy.PortLinks;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.junit.jupiter.api.AfterEach;

/// The preview door over real sockets, before one private sandbox; for the tests that extend it.
abstract class OpenPreview {
    static final Instant NOW = Instant.parse("2026-03-04T05:06:07Z");
    private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");
    static final Duration HEAD_WITHIN = Duration.ofSeconds(3);
    private static final EdgeLimits QUICK = new EdgeLimits(Duration.ofSeconds(2), Duration.ofSeconds(2), Duration.ofSeconds(1), 3);

    final FakeSandboxes sandboxes;
    final SandboxTokens tokens;
    final PortLinks links;
    final HttpListener listener = new HttpListener(new ListenSettings(new InetSocketAddress("127.0.0.1", 0), Duration.ofSeconds(75), HEAD_WITHIN, 4_096));
    final SandboxId id;
    final PreviewDoor door;

    OpenPreview(Path directory) {
        JETTY.setLevel(Level.OFF);
        sandboxes = new FakeSandboxes(directory.resolve("boxes"));
        id = sandboxes.create(SandboxSpec.defaults()).id();
        tokens = SandboxTokens.open(directory.resolve("secret"), new SecureRandom());
        links = new PortLinks(tokens, InstantSource.fixed(NOW));
        door = new PreviewDoor(Optional.of(new PreviewDomain("box.test", 80, false)), sandboxes, tokens, links, QUICK);
        listener.open(new Doors(List.of(door), new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
                Response.writeError(request, response, callback, 418);
                return true;
            }
        }), (request, response, callback) -> {
            callback.succeeded();
            return true;
        });
    }

    @AfterEach
    void close() {
        listener.close();
        sandboxes.close();
    }

    record Answer(int status, String head, String body) {}

    String host(int port) {
        return port + "-" + id + ".box.test";
    }

    Answer send(String request) throws IOException {
        try (var socket = new Socket("127.0.0.1", listener.port())) {
            socket.setSoTimeout(30_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            return answer(socket.getInputStream());
        }
    }

    /// Everything up to the connection's end.
    static Answer answer(InputStream in) throws IOException {
        String head = Guest.head(in);
        if (head.isEmpty()) {
            return new Answer(0, "", "");
        }
        String body = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        return new Answer(Integer.parseInt(head.split(" ")[1]), head, body);
    }

    String get(String path, String... headers) {
        return "GET " + path + " HTTP/1.1\r\nHost: " + host(3000) + "\r\nConnection: close\r\n" + (headers.length == 0 ? "" : String.join("\r\n", headers) + "\r\n") + "\r\n";
    }

    String token() {
        return "Caisson-Token: " + tokens.token(id, SandboxTokens.Purpose.TRAFFIC);
    }
}
