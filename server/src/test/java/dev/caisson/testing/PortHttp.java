package dev.caisson.testing;

import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/// HTTP/1.1 with a server inside a sandbox: one request a connection.
public record PortHttp(Sandboxes sandboxes, SandboxId id, int port) {
    public record Answer(int status, String body) {}

    public Answer ask(String method, String path, String json) throws InterruptedException {
        try (var connection = send(method, path, json)) {
            var bytes = new ByteArrayOutputStream();
            for (var next = connection.next(); next.isPresent(); next = connection.next()) {
                var block = new byte[next.get().remaining()];
                next.get().get(block);
                bytes.writeBytes(block);
            }
            return answer(bytes.toString(StandardCharsets.UTF_8));
        }
    }

    /// Sends a request; whoever closes what this returns goes away before the answer.
    public PortConnection send(String method, String path, String json) throws InterruptedException {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        var head = method + " " + path + " HTTP/1.1\r\nHost: sandbox\r\nContent-Type: application/json\r\nContent-Length: " + body.length + "\r\nConnection: close\r\n\r\n";
        var connection = sandboxes.dial(id, port);
        connection.write(ByteBuffer.wrap(head.getBytes(StandardCharsets.US_ASCII)));
        connection.write(ByteBuffer.wrap(body));
        return connection;
    }

    private static Answer answer(String text) {
        int blank = text.indexOf("\r\n\r\n");
        if (blank < 0) {
            throw new AssertionError("not an answer: " + text);
        }
        var head = text.substring(0, blank);
        var body = text.substring(blank + 4);
        return new Answer(Integer.parseInt(head.split(" ")[1]), head.toLowerCase(Locale.ROOT).contains("transfer-encoding: chunked") ? unchunked(body) : body);
    }

    /// Sizes count bytes; the tests' answers with more than ASCII in them are of one chunk a line.
    private static String unchunked(String body) {
        var all = body.getBytes(StandardCharsets.UTF_8);
        var plain = new ByteArrayOutputStream();
        int at = 0;
        while (at < all.length) {
            int end = at;
            while (all[end] != '\r') {
                end++;
            }
            int size = Integer.parseInt(new String(all, at, end - at, StandardCharsets.US_ASCII), 16);
            if (size == 0) {
                return plain.toString(StandardCharsets.UTF_8);
            }
            plain.write(all, end + 2, size);
            at = end + 2 + size + 2;
        }
        throw new AssertionError("the answer was cut off: " + body);
    }
}
