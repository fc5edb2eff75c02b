package dev.caisson.client;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/// A server on loopback that answers requests as a test says, byte by byte, and can break off where it likes.
final class ScriptedServer implements AutoCloseable {
    private final ServerSocket socket;
    private final List<Socket> open = new CopyOnWriteArrayList<>();
    final List<Request> requests = new CopyOnWriteArrayList<>();

    /// One request as it came.
    record Request(String line, String head, byte[] body) {
        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }
    }

    /// Answers one request; the connection is closed when it throws.
    interface Script {
        void answer(Request request, OutputStream out) throws IOException;
    }

    ScriptedServer(Script script) throws IOException {
        socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    var each = socket.accept();
                    open.add(each);
                    Thread.ofVirtual().start(() -> serve(each, script));
                }
            } catch (IOException _) {
                // Closed.
            }
        });
    }

    String url() {
        return "http://127.0.0.1:" + socket.getLocalPort();
    }

    Caisson connect() {
        return Caisson.connect(url(), "e2b_test");
    }

    private void serve(Socket each, Script script) {
        try (each) {
            var in = new BufferedInputStream(each.getInputStream());
            while (true) {
                var request = read(in);
                requests.add(request);
                var out = each.getOutputStream();
                script.answer(request, out);
                out.flush();
            }
        } catch (IOException | UncheckedIOException _) {
            // The test's own doing.
        }
    }

    private static Request read(InputStream in) throws IOException {
        var head = new StringBuilder();
        String line = line(in);
        String first = line;
        while (!line.isEmpty()) {
            head.append(line).append('\n');
            line = line(in);
        }
        var body = new ByteArrayOutputStream();
        if (head.indexOf("Transfer-Encoding: chunked") >= 0) {
            for (int size = Integer.parseInt(line(in), 16); size > 0; size = Integer.parseInt(line(in), 16)) {
                body.write(in.readNBytes(size));
                line(in);
            }
            line(in);
        } else {
            var length = head.toString().lines().filter(each -> each.startsWith("Content-Length: ")).findFirst();
            if (length.isPresent()) {
                body.write(in.readNBytes(Integer.parseInt(length.get().substring(16))));
            }
        }
        return new Request(first, head.toString(), body.toByteArray());
    }

    private static String line(InputStream in) throws IOException {
        var text = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new IOException("closed");
            }
            if (c != '\r') {
                text.append((char) c);
            }
        }
        return text.toString();
    }

    static void json(OutputStream out, int status, String json) throws IOException {
        whole(out, status, status >= 400 ? "application/problem+json" : "application/json", json.getBytes(StandardCharsets.UTF_8));
    }

    static void whole(OutputStream out, int status, String type, byte[] body) throws IOException {
        out.write(("HTTP/1.1 " + status + " x\r\nContent-Type: " + type + "\r\nContent-Length: " + body.length + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
        out.write(body);
    }

    static void streamHead(OutputStream out) throws IOException {
        out.write("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.caisson.stream\r\nCaisson-Command: c1\r\nTransfer-Encoding: chunked\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
    }

    static void chunk(OutputStream out, byte[] bytes) throws IOException {
        out.write((Integer.toHexString(bytes.length) + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
        out.write(bytes);
        out.write("\r\n".getBytes(StandardCharsets.ISO_8859_1));
    }

    static final String SANDBOX = """
            {"id":"sbaaaaaaaaaaaaaaaaaa","state":"running","image_digest":"sha256:0","created_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:05:00Z","create_ms":96,
             "spec":{"template":"base","trust":"untrusted","tier":"gvisor","cpus":1,"memory_bytes":536870912,"processes":256,"disk_bytes":1073741824,"open_files":4096,"lease_seconds":300,
             "env":{},"labels":{}}}""";

    static final String RECEIPT = """
            {"id":"sbaaaaaaaaaaaaaaaaaa","template":"base","tier":"microvm","driver":"qemu-tcg","isolation":"emulated: not a security boundary","trust":"untrusted","image_digest":"sha256:0","created_at":"2026-01-01T00:00:00Z",
             "ended_at":"2026-01-01T00:00:01Z","reason":"deleted","by":"keeper","usage":{"peak_memory_bytes":1048576,"cpu_ms":12.5},"denied":{"network":3},"leaks":0,
             "resources":[{"kind":"cgroup","name":"caisson/x","gone":true}]}""";

    @Override
    public void close() throws IOException {
        socket.close();
        for (var each : open) {
            each.close();
        }
    }
}
