package dev.caisson.client;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The answer to one request: its status, and its body as it comes.
///
/// Cleanup: close gives the connection back when the body was read to its end, and ends it otherwise.
final class Answer implements AutoCloseable {
    private static final int MAX_JSON = 64 * 1024 * 1024;
    private static final ByteBuffer END = ByteBuffer.allocate(0);

    private final Http http;
    private final Connection connection;
    private final Connection.Head head;
    private final boolean chunked;
    private final boolean keep;
    /// Bytes left of the body, or of the chunk; -1 when the body ends with the connection.
    private long left;
    private boolean ended;
    private boolean first = true;

    Answer(Http http, Connection connection, Connection.Head head) {
        this.http = http;
        this.connection = connection;
        this.head = head;
        chunked = "chunked".equalsIgnoreCase(head.headers().get("transfer-encoding"));
        if (!chunked && head.headers().containsKey("transfer-encoding")) {
            throw CaissonException.badAnswer("an unknown transfer encoding", null);
        }
        String length = head.headers().get("content-length");
        left = head.status() == 204 || head.status() == 304 || chunked ? 0 : length == null ? -1 : size(length, 10);
        ended = !chunked && left == 0;
        keep = (chunked || left >= 0) && !"close".equalsIgnoreCase(head.headers().get("connection"));
    }

    int status() {
        return head.status();
    }

    Optional<String> header(String name) {
        return Optional.ofNullable(head.headers().get(name));
    }

    /// The next bytes of the body, valid until the next call; empty at its end.
    ///
    /// Errors: [EOFException] when the connection ended before the body did.
    ByteBuffer next() throws IOException {
        if (!ended && chunked && left == 0) {
            openChunk();
        }
        if (ended) {
            return END;
        }
        var bytes = connection.take(left < 0 ? Long.MAX_VALUE : left);
        if (!bytes.hasRemaining()) {
            if (left >= 0) {
                throw new EOFException("the connection was closed in the middle of the answer");
            }
            ended = true;
            return END;
        }
        if (left > 0) {
            left -= bytes.remaining();
            ended = left == 0 && !chunked;
        }
        return bytes;
    }

    private void openChunk() throws IOException {
        int[] budget = {1024};
        if (!first && !connection.line(budget).isEmpty()) {
            throw CaissonException.badAnswer("a chunk without an end", null);
        }
        first = false;
        String line = connection.line(budget);
        int semicolon = line.indexOf(';');
        left = size((semicolon < 0 ? line : line.substring(0, semicolon)).strip(), 16);
        if (left == 0) {
            while (!connection.line(budget).isEmpty()) {
                // A trailer; we asked for none and use none.
                continue;
            }
            ended = true;
        }
    }

    private static long size(String digits, int radix) {
        try {
            long size = digits.startsWith("+") ? -1 : Long.parseLong(digits, radix);
            if (size >= 0) {
                return size;
            }
        } catch (NumberFormatException _) {
            // Refused below.
        }
        throw CaissonException.badAnswer("a length that is none", null);
    }

    /// All of the body as a JSON object.
    Json.Obj json() throws IOException {
        String text = new String(bytes(), StandardCharsets.UTF_8);
        try {
            return Json.parseObject(text);
        } catch (IllegalArgumentException e) {
            throw CaissonException.badAnswer(String.valueOf(e.getMessage()), e);
        }
    }

    private byte[] bytes() throws IOException {
        var all = new java.io.ByteArrayOutputStream();
        for (var piece = next(); piece.hasRemaining(); piece = next()) {
            if (all.size() + piece.remaining() > MAX_JSON) {
                throw CaissonException.badAnswer("more than 64 MiB of JSON", null);
            }
            all.write(piece.array(), piece.arrayOffset() + piece.position(), piece.remaining());
        }
        return all.toByteArray();
    }

    /// The body as a stream, which closes this answer when it is closed.
    InputStream stream() {
        return new InputStream() {
            private ByteBuffer piece = END;

            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] into, int at, int length) throws IOException {
                if (length == 0) {
                    return 0;
                }
                if (!piece.hasRemaining()) {
                    piece = next();
                    if (!piece.hasRemaining()) {
                        return -1;
                    }
                }
                int count = Math.min(length, piece.remaining());
                piece.get(into, at, count);
                return count;
            }

            @Override
            public void close() {
                Answer.this.close();
            }
        };
    }

    /// One line of a body of lines, without its end; null at the end of the body.
    static @Nullable String line(InputStream lines) throws IOException {
        var line = new java.io.ByteArrayOutputStream();
        for (int c = lines.read(); c >= 0; c = lines.read()) {
            if (c == '\n') {
                return line.toString(StandardCharsets.UTF_8);
            }
            if (line.size() > 1024 * 1024) {
                throw CaissonException.badAnswer("a line of more than 1 MiB", null);
            }
            line.write(c);
        }
        return null;
    }

    @Override
    public void close() {
        if (ended && keep) {
            http.giveBack(connection);
        } else {
            connection.close();
        }
    }
}
