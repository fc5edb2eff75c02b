package dev.caisson.api.rest;

import dev.caisson.fake.FakeSandboxes;
import dev.caisson.fake.FakeWays;
import dev.caisson.json.JsonObject;
import dev.caisson.api.Doors;
import dev.caisson.api.HttpListener;
import dev.caisson.api.ListenSettings;
import dev.caisson.api.PreviewDomain;
import dev.caisson.policy.KeyStore;
import dev.caisson.policy.PortLinks;
import dev.caisson.policy.Quota;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WallSettings;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Tier;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/// A real server on a free port over fake sandboxes, and a real client with a valid key.
final class House implements AutoCloseable {
    static final Instant NOW = Instant.parse("2026-03-04T05:06:07Z");
    static final Duration DEADLINE = Duration.ofSeconds(20);
    static final WayOut WAYS = FakeWays.ways(false);
    /// The operator lets tenants share this machine behind gVisor: the fakes have nothing stronger.
    static final WallSettings SHARED = WallSettings.DEFAULT.withTenantFloor(Tier.GVISOR);

    private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");

    static {
        JETTY.setLevel(Level.WARNING);
    }

    final FakeSandboxes sandboxes;
    final KeyStore keys;
    final TierPolicy tiers;
    final HttpListener server;
    final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    final String key;
    final PreviewLinks preview;

    House(Path directory) {
        this(directory, Duration.ofSeconds(10), Duration.ofSeconds(75), Quota.DEFAULT_SANDBOXES);
    }

    House(Path directory, Duration heartbeat, Duration idle, int quota) {
        this(directory, heartbeat, idle, quota, SHARED);
    }

    House(Path directory, WallSettings walls) {
        this(directory, Duration.ofSeconds(10), Duration.ofSeconds(75), Quota.DEFAULT_SANDBOXES, walls);
    }

    private House(Path directory, Duration heartbeat, Duration idle, int quota, WallSettings walls) {
        sandboxes = new FakeSandboxes(directory.resolve("boxes"));
        keys = KeyStore.open(directory.resolve("front.db"), InstantSource.fixed(NOW), new SecureRandom(), Optional.empty());
        key = keys.create("test").text().secret();
        server = new HttpListener(new ListenSettings(new InetSocketAddress("127.0.0.1", 0), idle, Duration.ofSeconds(20), 512));
        tiers = new TierPolicy(sandboxes, keys::hasOthers, walls);
        var tokens = SandboxTokens.open(directory.resolve("token.secret"), new SecureRandom());
        preview = new PreviewLinks(Optional.of(new PreviewDomain("preview.test", 8443, true)), tokens, new PortLinks(tokens, InstantSource.fixed(NOW)));
        server.open(new Doors(List.of(), RestDoor.handler(sandboxes, keys, new Quota(sandboxes, quota), tiers, WAYS, preview, heartbeat)), RestDoor.errors());
    }

    URI at(String path) {
        return server.url().resolve(path);
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(at(path)).timeout(DEADLINE).header("Authorization", "Bearer " + key);
    }

    Answer send(HttpRequest.Builder request) {
        return Answer.of(raw(request, BodyHandlers.ofByteArray()));
    }

    <T> HttpResponse<T> raw(HttpRequest.Builder request, HttpResponse.BodyHandler<T> handler) {
        try {
            return client.send(request.build(), handler);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    HttpRequest.Builder requestWith(String anotherKey, String path) {
        return HttpRequest.newBuilder(at(path)).timeout(DEADLINE).header("Authorization", "Bearer " + anotherKey);
    }

    Answer get(String path) {
        return send(request(path).GET());
    }

    Answer delete(String path) {
        return send(request(path).DELETE());
    }

    Answer post(String path, String json) {
        return send(request(path).header("Content-Type", "application/json").POST(BodyPublishers.ofString(json)));
    }

    Answer put(String path, String json) {
        return send(request(path).header("Content-Type", "application/json").PUT(BodyPublishers.ofString(json)));
    }

    Answer put(String path, byte[] body) {
        return send(request(path).PUT(BodyPublishers.ofByteArray(body)));
    }

    /// A sandbox with every default.
    SandboxId sandbox() {
        return new SandboxId(post("/v1/sandboxes", "{}").is(201).text("id"));
    }

    HttpResponse<InputStream> open(HttpRequest.Builder request) {
        return raw(request, BodyHandlers.ofInputStream());
    }

    HttpRequest.Builder run(SandboxId id, boolean frames, String json) {
        BodyPublisher body = BodyPublishers.ofString(json);
        var request = request("/v1/sandboxes/" + id + "/commands").header("Content-Type", "application/json").POST(body);
        return frames ? request.header("Accept", "application/vnd.caisson.stream") : request;
    }

    /// Waits for something that another thread does.
    static void until(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + DEADLINE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("did not happen within " + DEADLINE + ": " + what);
            }
            Thread.onSpinWait();
            LockSupport.parkNanos(1_000_000);
        }
    }

    @Override
    public void close() {
        client.shutdownNow();
        server.close();
        keys.close();
        sandboxes.close();
    }

    record Answer(int status, HttpResponse<byte[]> response) {
        static Answer of(HttpResponse<byte[]> response) {
            return new Answer(response.statusCode(), response);
        }

        String body() {
            return new String(response.body(), StandardCharsets.UTF_8);
        }

        JsonObject json() {
            return JsonObject.parse(response.body());
        }

        String text(String key) {
            return json().text(key);
        }

        String header(String name) {
            return response.headers().firstValue(name).orElse("");
        }

        Answer is(int expected) {
            if (status != expected) {
                throw new AssertionError("expected " + expected + " but got " + status + ": " + body());
            }
            return this;
        }

        /// A problem document of this status and code, whole.
        Answer problem(int expected, String code) {
            is(expected);
            if (!header("Content-Type").equals("application/problem+json")) {
                throw new AssertionError("not a problem document but " + header("Content-Type") + ": " + body());
            }
            JsonObject problem = json();
            if (!problem.text("code").equals(code) || !problem.text("type").equals("urn:caisson:problem:" + code) || problem.whole("status", 0, 999) != expected) {
                throw new AssertionError("expected code " + code + ": " + body());
            }
            for (String key : new String[] {"title", "detail", "remedy"}) {
                if (problem.text(key).isBlank()) {
                    throw new AssertionError(key + " is empty: " + body());
                }
            }
            problem.text("sandbox", "");
            problem.end();
            return this;
        }
    }
}
