package dev.caisson.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.caisson.client.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;

/// Stands in for the front: the same addresses and frames, but commands run as plain processes of the test in a directory of its own.
final class StubFront implements AutoCloseable {
    static final String ID = "sbaaaaaaaaaaaaaaaaaa";

    private static final String SANDBOX = """
            {"id":"%s","state":"running","image_digest":"sha256:0","created_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:05:00Z","create_ms":96,
             "spec":{"template":"base","trust":"untrusted",%s}}""";
    private static final String EGRESS = """
            {"layers":[{"name":"request","mode":"list","rules":[]}],"budget":{"connections":512,"bytes":0,"requests_per_second":200},"secrets":[]}""";

    private final HttpServer server;
    private final Path home;
    private final CompletableFuture<Process> process = new CompletableFuture<>();
    final List<String> calls = new CopyOnWriteArrayList<>();
    final Map<String, String> refuse = new ConcurrentHashMap<>();
    volatile String denied = "{}";
    /// What its sandbox runs in, as members of the objects that say it.
    volatile String wall = "\"tier\":\"gvisor\"";
    /// What its status says of drivers and of what untrusted code is in for.
    volatile String standing = "\"tiers\":[\"gvisor\"]";
    /// What its sandbox has tried to reach.
    volatile String flows = "[]";
    final List<String> bodies = new CopyOnWriteArrayList<>();

    StubFront(Path home) throws IOException {
        this.home = home;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            try (exchange) {
                answer(exchange);
            }
        });
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        String call = exchange.getRequestMethod() + " " + path.replaceFirst("^/v1", "").replaceFirst("/sandboxes/" + ID, "/s");
        calls.add(call);
        String refused = refuse.get(call);
        if (refused != null) {
            send(exchange, 400, "application/problem+json", refused.getBytes(StandardCharsets.UTF_8));
            return;
        }
        switch (call) {
            case "POST /sandboxes" -> {
                bodies.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
                json(exchange, 201, SANDBOX.formatted(ID, wall));
            }
            case "GET /sandboxes" -> json(exchange, 200, "{\"sandboxes\":[" + SANDBOX.formatted(ID, wall) + "]}");
            case "GET /status" -> json(exchange, 200, "{\"alive\":1,\"created\":1,\"deleted\":0,\"failed\":0,\"leaked\":0,\"resident_memory_bytes\":1," + standing + "}");
            case "GET /s" -> json(exchange, 200, SANDBOX.formatted(ID, wall));
            case "GET /s/flows" -> json(exchange, 200, "{\"flows\":" + (exchange.getRequestURI().getQuery().startsWith("after=0&") ? flows : "[]") + "}");
            case "PUT /s/egress", "GET /s/egress" -> {
                bodies.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
                json(exchange, 200, EGRESS);
            }
            case "DELETE /s" -> json(exchange, 200, """
                    {"id":"%s","template":"base",%s,"trust":"untrusted","image_digest":"sha256:0","created_at":"2026-01-01T00:00:00Z","ended_at":"2026-01-01T00:00:01Z",
                     "reason":"deleted","by":"keeper","usage":{"peak_memory_bytes":47500000,"cpu_ms":90},"denied":%s,"leaks":0,"resources":[]}""".formatted(ID, wall, denied));
            case "POST /s/commands" -> command(exchange);
            case "POST /s/commands/c1/stdin" -> {
                try (var to = process.join().getOutputStream()) {
                    exchange.getRequestBody().transferTo(to);
                } catch (IOException _) {
                    // It does not read any more.
                }
                exchange.sendResponseHeaders(204, -1);
            }
            case "POST /s/commands/c1/signal" -> {
                String name = Json.parseObject(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8)).text("signal");
                new ProcessBuilder("kill", "-" + name, Long.toString(process.join().pid())).start();
                exchange.sendResponseHeaders(204, -1);
            }
            case "PUT /s/files" -> {
                var file = local(exchange);
                Files.createDirectories(file.getParent());
                Files.write(file, exchange.getRequestBody().readAllBytes());
                json(exchange, 200, "{\"name\":\"x\",\"path\":\"x\",\"kind\":\"file\",\"size_bytes\":1,\"mode\":\"0644\",\"owner\":\"u\",\"group\":\"u\",\"modified_at\":\"2026-01-01T00:00:00Z\"}");
            }
            case "GET /s/files" -> send(exchange, 200, "application/octet-stream", Files.readAllBytes(local(exchange)));
            default -> send(exchange, 404, "application/problem+json", "{\"code\":\"not-found\",\"detail\":\"no such call\",\"remedy\":\"\",\"status\":404}".getBytes(StandardCharsets.UTF_8));
        }
    }

    private Path local(HttpExchange exchange) {
        String query = exchange.getRequestURI().getRawQuery().replaceAll(".*path=([^&]*).*", "$1");
        return home.resolve(URLDecoder.decode(query, StandardCharsets.UTF_8));
    }

    private void command(HttpExchange exchange) throws IOException {
        var request = Json.parseObject(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
        var argv = request.list("argv").stream().map(each -> each instanceof Json.Text(var text) ? text : "").toList();
        var started = new ProcessBuilder(argv).directory(home.toFile()).start();
        if (!request.bool("stdin")) {
            started.getOutputStream().close();
        }
        exchange.getResponseHeaders().set("Caisson-Command", "c1");
        exchange.sendResponseHeaders(200, 0);
        var out = exchange.getResponseBody();
        frame(out, 0, "{\"event\":\"started\",\"id\":\"c1\",\"pid\":1}".getBytes(StandardCharsets.UTF_8));
        out.flush();
        process.complete(started);
        var errors = Thread.ofPlatform().start(() -> pump(started.getErrorStream(), out, 2));
        pump(started.getInputStream(), out, 1);
        try {
            errors.join();
            int status = started.waitFor();
            String outcome = status > 128 ? "signaled" : "exited";
            frame(out, 0, ("{\"event\":\"ended\",\"result\":{\"outcome\":\"" + outcome + "\",\"status\":" + status + ",\"wall_ms\":134.2,\"cpu_ms\":90}}").getBytes(StandardCharsets.UTF_8));
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private static void pump(InputStream from, OutputStream to, int kind) {
        byte[] piece = new byte[65_536];
        try {
            for (int count = from.read(piece); count >= 0; count = from.read(piece)) {
                frame(to, kind, java.util.Arrays.copyOf(piece, count));
                to.flush();
            }
        } catch (IOException _) {
            // The client went away.
        }
    }

    private static void frame(OutputStream out, int kind, byte[] payload) throws IOException {
        synchronized (out) {
            out.write(ByteBuffer.allocate(8 + payload.length).putInt(kind << 24).putInt(payload.length).put(payload).array());
        }
    }

    private static void json(HttpExchange exchange, int status, String json) throws IOException {
        send(exchange, status, "application/json", json.getBytes(StandardCharsets.UTF_8));
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
    }

    @Override
    public void close() {
        server.stop(0);
        var started = process.getNow(null);
        if (started != null) {
            started.destroyForcibly();
        }
    }
}
