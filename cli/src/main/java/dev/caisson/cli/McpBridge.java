package dev.caisson.cli;

import dev.caisson.client.Json;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Carries MCP messages between two pipes, one message a line, and an installation's `/mcp`.
///
/// Knows only what the way needs: which message is a request, and the session that `initialize` opened, which it opens again when the installation has
/// forgotten it. Everything else is between the client and the installation.
/// Threads: one reads lines; each request has a (virtual) one that waits for its answer. Cleanup: close ends the session, and with it what is still running.
final class McpBridge implements AutoCloseable {
    /// As the door takes them. Unit: bytes.
    private static final int MAX_LINE = 6 << 20;
    private static final int MAX_REQUESTS = 64;
    private static final int SERVER_ERROR = -32_000;
    private static final int PARSE_ERROR = -32_700;

    private final Session.Address address;
    private final InputStream in;
    private final PrintStream out;
    private final HttpClient http;
    private final CountDownLatch end = new CountDownLatch(1);
    private final Semaphore requests = new Semaphore(MAX_REQUESTS);
    private volatile @Nullable Opened opened;
    private byte[] initialize = {};

    /// A session as the installation named it, and the version it speaks.
    private record Opened(String id, String version) {}

    McpBridge(Session.Address address, InputStream in, PrintStream out) {
        this.address = address;
        this.in = new BufferedInputStream(in, 64 * 1024);
        this.out = out;
        this.http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(10)).build();
    }

    /// Takes lines until there are no more.
    void run() {
        try {
            for (var line = line(); line.isPresent(); line = line()) {
                if (line.get().length > 0) {
                    take(line.get());
                }
            }
        } catch (IOException e) {
            Console.failure("standard input cannot be read: " + e.getMessage(), "");
        } finally {
            end();
        }
    }

    void end() {
        end.countDown();
    }

    void awaitEnd() throws InterruptedException {
        end.await();
    }

    /// The next line without its end; empty (no bytes) for one that is too long, which is answered here.
    private Optional<byte[]> line() throws IOException {
        var line = new ByteArrayOutputStream(256);
        boolean tooLong = false;
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                return line.size() == 0 ? Optional.empty() : Optional.of(line.toByteArray());
            }
            if (line.size() < MAX_LINE) {
                line.write(c);
            } else {
                tooLong = true;
            }
        }
        if (tooLong) {
            say(error(Json.parse("null"), PARSE_ERROR, "a message is at most " + MAX_LINE + " bytes"));
            return Optional.of(new byte[0]);
        }
        return Optional.of(line.toByteArray());
    }

    private void take(byte[] line) {
        Json.Obj message;
        try {
            message = Json.parseObject(new String(line, StandardCharsets.UTF_8));
        } catch (IllegalArgumentException _) {
            say(error(Json.parse("null"), PARSE_ERROR, "not a JSON object on one line"));
            return;
        }
        Optional<Json> id = message.find("method").isPresent() ? message.find("id") : Optional.empty();
        if (id.isEmpty()) {
            // In the order they came.
            carry(line, Optional.empty());
        } else if (message.find("method").equals(Optional.of(Json.of("initialize")))) {
            initialize = line;
            carry(line, id);
        } else if (requests.tryAcquire()) {
            Thread.ofVirtual().name("mcp-request").start(() -> {
                try {
                    carry(line, id);
                } finally {
                    requests.release();
                }
            });
        } else {
            say(error(id.get(), SERVER_ERROR, "there are " + MAX_REQUESTS + " requests open"));
        }
    }

    private void carry(byte[] line, Optional<Json> id) {
        boolean opens = line == initialize;
        try {
            Opened with = opened;
            var answer = post(line, opens ? null : with);
            if (answer.statusCode() == 404 && !opens && with != null && reopen(with)) {
                answer.body().close();
                answer = post(line, opened);
            }
            hand(answer, id, opens);
        } catch (IOException e) {
            id.ifPresent(each -> say(error(each, SERVER_ERROR, "the connection to " + address.url() + " failed: " + e.getMessage())));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private HttpResponse<InputStream> post(byte[] line, @Nullable Opened session) throws IOException, InterruptedException {
        return http.send(request(session).header("Content-Type", "application/json").header("Accept", "application/json, text/event-stream")
                .POST(HttpRequest.BodyPublishers.ofByteArray(line)).build(), HttpResponse.BodyHandlers.ofInputStream());
    }

    private HttpRequest.Builder request(@Nullable Opened session) {
        var request = HttpRequest.newBuilder(URI.create(address.url() + "/mcp")).header("Authorization", "Bearer " + address.key());
        return session == null ? request : request.header("Mcp-Session-Id", session.id()).header("Mcp-Protocol-Version", session.version());
    }

    /// Opens a session in place of one that is gone; false when there is none to be had.
    private synchronized boolean reopen(Opened gone) throws IOException, InterruptedException {
        if (!gone.equals(opened)) {
            return opened != null;
        }
        var answer = post(initialize, null);
        try (var body = answer.body()) {
            opened = answer.statusCode() == 200 ? opened(answer, new String(body.readAllBytes(), StandardCharsets.UTF_8)) : null;
        }
        return opened != null;
    }

    private static @Nullable Opened opened(HttpResponse<InputStream> answer, String text) {
        try {
            var result = Json.parseObject(text).find("result");
            String version = result.isPresent() && result.get() instanceof Json.Obj object ? object.text("protocolVersion", "") : "";
            return version.isEmpty() ? null : new Opened(answer.headers().firstValue("Mcp-Session-Id").orElse(""), version);
        } catch (IllegalArgumentException _) {
            return null;
        }
    }

    /// Hands an answer on. A request whose answer ends with nothing said was cancelled, and nobody waits for it.
    private void hand(HttpResponse<InputStream> answer, Optional<Json> id, boolean opens) throws IOException {
        try (var body = answer.body()) {
            String type = answer.headers().firstValue("Content-Type").orElse("");
            if (answer.statusCode() == 200 && type.startsWith("text/event-stream")) {
                events(body);
                return;
            }
            String text = new String(body.readAllBytes(), StandardCharsets.UTF_8);
            if (answer.statusCode() == 200) {
                if (opens) {
                    opened = opened(answer, text);
                }
                say(text);
            } else if (answer.statusCode() / 100 != 2 && id.isPresent()) {
                say(refused(id.get(), answer.statusCode(), text));
            }
        }
    }

    private void events(InputStream body) throws IOException {
        var lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.startsWith("data:")) {
                say(line.substring(5).strip());
            }
        }
    }

    /// What the installation refused, as the answer to this request.
    private static String refused(Json id, int status, String text) {
        try {
            if (Json.parseObject(text).find("error").orElse(id) instanceof Json.Obj error) {
                return Json.object().put("jsonrpc", "2.0").put("id", id).put("error", error).done().write();
            }
        } catch (IllegalArgumentException _) {
            // Not from our door; said below.
        }
        return error(id, SERVER_ERROR, "HTTP status " + status);
    }

    private static String error(Json id, int code, String message) {
        return Json.object().put("jsonrpc", "2.0").put("id", id).put("error", Json.object().put("code", code).put("message", message).done()).done().write();
    }

    private void say(String message) {
        byte[] line = (message.replace('\r', ' ').replace('\n', ' ') + "\n").getBytes(StandardCharsets.UTF_8);
        synchronized (out) {
            out.write(line, 0, line.length);
            out.flush();
        }
    }

    @Override
    public void close() {
        Opened session = opened;
        if (session != null) {
            try {
                http.send(request(session).DELETE().timeout(Duration.ofSeconds(5)).build(), HttpResponse.BodyHandlers.discarding());
                // What it had running is being ended; its last words are nobody's.
                requests.tryAcquire(MAX_REQUESTS, 3, TimeUnit.SECONDS);
            } catch (IOException _) {
                // It is gone already.
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        }
        http.shutdownNow();
    }
}
