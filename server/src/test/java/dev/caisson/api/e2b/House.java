package dev.caisson.api.e2b;

import dev.caisson.api.Doors;
import dev.caisson.api.HttpListener;
import dev.caisson.api.ListenSettings;
import dev.caisson.api.rest.RestDoor;
import dev.caisson.edge.EdgeLimits;
import dev.caisson.edge.PreviewDoor;
import dev.caisson.fake.FakeSandboxes;
import dev.caisson.fake.FakeWays;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.KeyStore;
import dev.caisson.policy.PortLinks;
import dev.caisson.policy.Quota;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.SandboxTokens.Purpose;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WallSettings;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Tier;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/// This door alone on a free port over fake sandboxes, and a client that may send what no published one does.
final class House implements AutoCloseable {
    static final Instant NOW = Instant.parse("2026-03-04T05:06:07Z");
    /// The status of what this door leaves to others.
    static final int ELSEWHERE = 418;
    private static final Duration DEADLINE = Duration.ofSeconds(20);
    private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");

    final FakeSandboxes sandboxes;
    final KeyStore keys;
    final SandboxTokens tokens;
    final String key;
    private final PreviewDoor preview;
    private final HttpListener server;
    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    House(Path directory) {
        this(directory, E2bSettings.DEFAULT);
    }

    House(Path directory, E2bSettings settings) {
        this(directory, settings, false);
    }

    /// @param internet the operator has consented to the whole of it
    House(Path directory, E2bSettings settings, boolean internet) {
        JETTY.setLevel(Level.WARNING);
        var clock = InstantSource.fixed(NOW);
        sandboxes = new FakeSandboxes(directory.resolve("boxes"));
        keys = KeyStore.open(directory.resolve("front.db"), clock, new SecureRandom(), Optional.empty());
        key = keys.create("test").text().secret();
        tokens = SandboxTokens.open(directory.resolve("token.secret"), new SecureRandom());
        preview = new PreviewDoor(Optional.empty(), sandboxes, tokens, new PortLinks(tokens, clock), EdgeLimits.DEFAULT);
        // The operator lets tenants share this machine behind gVisor: the fakes have nothing stronger.
        var tiers = new TierPolicy(sandboxes, keys::hasOthers, WallSettings.DEFAULT.withTenantFloor(Tier.GVISOR));
        var door = new E2bDoor(sandboxes, keys, new Quota(sandboxes, 100), tiers, FakeWays.ways(internet), tokens, Optional.of(preview.forwarder()), clock, settings);
        server = new HttpListener(ListenSettings.at(new InetSocketAddress("127.0.0.1", 0)));
        server.open(new Doors(List.of(door), elsewhere()), RestDoor.errors());
    }

    private static Handler elsewhere() {
        return new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
                response.setStatus(ELSEWHERE);
                callback.succeeded();
                return true;
            }
        };
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(server.url().resolve(path)).timeout(DEADLINE);
    }

    /// To the control plane, with a key.
    HttpRequest.Builder control(String with, String path) {
        return request(path).header("X-API-KEY", with);
    }

    HttpRequest.Builder control(String path) {
        return control(key, path);
    }

    /// To a sandbox's own server, with its token.
    HttpRequest.Builder data(SandboxId id, String path) {
        return routed(id, path).header("X-Access-Token", token(id));
    }

    HttpRequest.Builder routed(SandboxId id, String path) {
        return request(path).header("E2b-Sandbox-Id", id.value()).header("E2b-Sandbox-Port", "49983");
    }

    String token(SandboxId id) {
        return tokens.token(id, Purpose.CONTROL);
    }

    SandboxId sandbox(String with) {
        return new SandboxId(send(control(with, "/v2/sandboxes").POST(BodyPublishers.ofString("{\"templateID\":\"base\"}"))).is(201).json().text("sandboxID"));
    }

    SandboxId sandbox() {
        return sandbox(key);
    }

    Answer unary(SandboxId id, String method, String json) {
        return send(data(id, "/" + method).header("Content-Type", "application/json").POST(BodyPublishers.ofString(json)));
    }

    /// A streaming call with this body as it is.
    Answer stream(SandboxId id, String method, byte[] body) {
        return send(data(id, "/" + method).header("Content-Type", "application/connect+json").POST(BodyPublishers.ofByteArray(body)));
    }

    static byte[] message(String json) {
        return Envelope.of(Envelope.MESSAGE, json.getBytes(StandardCharsets.UTF_8));
    }

    Answer send(HttpRequest.Builder request) {
        try {
            return new Answer(client.send(request.build(), BodyHandlers.ofByteArray()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Sends text as it is and answers all that comes back until the connection ends.
    String raw(String text) throws IOException {
        try (var socket = connect()) {
            socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }

    Socket connect() throws IOException {
        var socket = new Socket("127.0.0.1", server.port());
        socket.setSoTimeout((int) DEADLINE.toMillis());
        return socket;
    }

    @Override
    public void close() {
        client.shutdownNow();
        server.close();
        preview.close();
        keys.close();
        sandboxes.close();
    }

    record Answer(HttpResponse<byte[]> response) {
        int status() {
            return response.statusCode();
        }

        String body() {
            return new String(response.body(), StandardCharsets.UTF_8);
        }

        JsonObject json() {
            return JsonObject.parse(response.body());
        }

        String header(String name) {
            return response.headers().firstValue(name).orElse("");
        }

        Answer is(int expected) {
            if (status() != expected) {
                throw new AssertionError("expected " + expected + " but got " + status() + ": " + body());
            }
            return this;
        }

        /// A refusal in E2B's form, with the status in it again; answers its text.
        String refused(int expected) {
            is(expected);
            JsonObject refusal = json();
            if (!header("Content-Type").equals("application/json") || refusal.whole("code", 0, 999) != expected) {
                throw new AssertionError("not a refusal in E2B's form: " + body());
            }
            return clean(refusal.text("message"));
        }

        /// A failure of a unary call of the Connect protocol; answers its text.
        String failed(int expected, String code) {
            is(expected);
            return failure(json(), code);
        }

        /// The messages of a stream; the last is its end.
        List<String> messages() {
            is(200);
            var messages = new ArrayList<String>();
            for (var in = ByteBuffer.wrap(response.body()); in.hasRemaining(); ) {
                int flags = in.get();
                byte[] message = new byte[in.getInt()];
                in.get(message);
                if ((flags == Envelope.END) == in.hasRemaining()) {
                    throw new AssertionError("the end is not where it belongs: " + body());
                }
                messages.add(new String(message, StandardCharsets.UTF_8));
            }
            return messages;
        }

        /// A stream that failed; answers the failure's text.
        String broken(String code) {
            JsonObject end = JsonObject.parse(messages().getLast().getBytes(StandardCharsets.UTF_8));
            return failure(end.child("error").orElseThrow(() -> new AssertionError("the stream did not fail: " + body())), code);
        }

        private static String failure(JsonObject failure, String code) {
            if (!failure.text("code").equals(code)) {
                throw new AssertionError("expected " + code + " but got " + failure.text("code") + ": " + failure.text("message"));
            }
            return clean(failure.text("message"));
        }

        /// Nothing of how this server is made belongs into what it tells.
        private static String clean(String message) {
            if (message.isBlank() || message.contains("Exception") || message.contains("\tat ") || message.contains("dev.caisson") || message.contains("jetty")) {
                throw new AssertionError("a message tells too much, or nothing: " + message);
            }
            return message;
        }
    }
}
