package dev.caisson.client;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// One HTTP/1.1 connection: a request, then its answer, then the next.
///
/// It is ours rather than the JDK's client because that one takes 130 ms more to its first answer, even with an AOT cache, and passes 0.3 GB/s of
/// a stream where this passes 1.4 (`docs/decisions/0006-own-http-client.md`): a command line tool is started for every snippet, and carries its output.
/// Strict: no redirects, no interim answers but 100, no trailers, no line folding, heads of at most 64 KiB.
/// Threads: one at a time; close may come from any.
final class Connection implements AutoCloseable {
    private static final int BUFFER = 128 * 1024;
    private static final int MAX_HEAD = 64 * 1024;
    /// Bytes of a body sent at a time; below 64 KiB, so that a chunk's size fits in the four digits it is given.
    static final int PIECE = 60 * 1024;

    private final SocketChannel channel;
    private final Socket socket;
    private final InputStream in;
    private final OutputStream out;
    private final byte[] buffer = new byte[BUFFER];
    private int from;
    private int to;
    private long idleSince;

    Connection(SocketChannel channel, Socket socket) throws IOException {
        this.channel = channel;
        this.socket = socket;
        in = socket.getInputStream();
        out = socket.getOutputStream();
    }

    /// The head of an answer; header names in lower case.
    record Head(int status, Map<String, String> headers) {}

    /// Sends one request whole.
    ///
    /// A server that refuses a request need not read its body; a failure while the body is sent is left to the answer to explain, when there is one.
    void send(String head, Body body) throws IOException {
        byte[] start = head.getBytes(StandardCharsets.ISO_8859_1);
        switch (body) {
            case Body.None() -> out.write(start);
            case Body.Bytes(_, var bytes) -> {
                byte[] all = new byte[start.length + bytes.length];
                System.arraycopy(start, 0, all, 0, start.length);
                System.arraycopy(bytes, 0, all, start.length, bytes.length);
                out.write(all);
            }
            case Body.Stream stream -> {
                out.write(start);
                var source = new Source(stream);
                try {
                    sendStream(stream, source);
                } catch (SourceException e) {
                    throw e;
                } catch (IOException e) {
                    if (!answerIsThere()) {
                        throw e;
                    }
                }
            }
        }
    }

    /// The caller's own stream failed; nobody else is to blame.
    static final class SourceException extends IOException {
        private static final long serialVersionUID = 1L;

        SourceException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    private record Source(Body.Stream stream) {
        int read(byte[] into, int at, int length) throws SourceException {
            if (stream.rest() == null) {
                return -1;
            }
            try {
                return stream.rest().read(into, at, length);
            } catch (IOException e) {
                throw new SourceException("cannot read what is to be sent: " + e.getMessage(), e);
            }
        }
    }

    private void sendStream(Body.Stream body, Source source) throws IOException {
        byte[] piece = new byte[PIECE + 8];
        if (body.length() >= 0) {
            out.write(body.first());
            long left = body.length() - body.first().length;
            while (left > 0) {
                int count = source.read(piece, 0, (int) Math.min(left, PIECE));
                if (count < 0) {
                    throw new SourceException("what is to be sent became shorter while it was sent", new EOFException());
                }
                out.write(piece, 0, count);
                left -= count;
            }
            return;
        }
        if (body.first().length > 0) {
            System.arraycopy(body.first(), 0, piece, 6, body.first().length);
            sendChunk(piece, body.first().length);
        }
        for (int count = source.read(piece, 6, PIECE); count >= 0; count = source.read(piece, 6, PIECE)) {
            if (count > 0) {
                sendChunk(piece, count);
            }
        }
        out.write("0\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
    }

    /// Sends `piece[6, 6 + count)`, at most [#PIECE] bytes, as one chunk in one write; the size is written in four digits before it.
    private void sendChunk(byte[] piece, int count) throws IOException {
        for (int i = 0; i < 4; i++) {
            piece[i] = (byte) Character.forDigit(count >> 12 - 4 * i & 0xf, 16);
        }
        piece[4] = '\r';
        piece[5] = '\n';
        piece[6 + count] = '\r';
        piece[7 + count] = '\n';
        out.write(piece, 0, count + 8);
    }

    private boolean answerIsThere() {
        try {
            socket.setSoTimeout(2_000);
            return from < to || fill();
        } catch (IOException _) {
            return false;
        }
    }

    /// Reads the head of the next answer.
    ///
    /// @param timeoutMillis most to wait for each piece of it, and of the body after it; 0 waits without end
    Head receive(int timeoutMillis) throws IOException {
        socket.setSoTimeout(timeoutMillis);
        while (true) {
            var head = head();
            if (head.status() != 100) {
                return head;
            }
        }
    }

    private Head head() throws IOException {
        int[] budget = {MAX_HEAD};
        String line = line(budget);
        if (!line.startsWith("HTTP/1.1 ") || line.length() < 12) {
            throw CaissonException.badAnswer("no HTTP/1.1 status line", null);
        }
        int status;
        try {
            status = Integer.parseInt(line, 9, 12, 10);
        } catch (NumberFormatException e) {
            throw CaissonException.badAnswer("no HTTP status", e);
        }
        var headers = new HashMap<String, String>();
        for (line = line(budget); !line.isEmpty(); line = line(budget)) {
            int colon = line.indexOf(':');
            if (colon < 1) {
                throw CaissonException.badAnswer("a header without a name", null);
            }
            headers.put(line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
        }
        return new Head(status, headers);
    }

    /// One line without its end; `budget[0]` is what the head may still take.
    String line(int[] budget) throws IOException {
        var text = new StringBuilder();
        while (true) {
            if (from == to && !fill()) {
                throw new EOFException("the connection was closed before the answer was whole");
            }
            int c = buffer[from++] & 0xff;
            if (c == '\n') {
                int length = text.length();
                return length > 0 && text.charAt(length - 1) == '\r' ? text.substring(0, length - 1) : text.toString();
            }
            if (--budget[0] < 0) {
                throw CaissonException.badAnswer("a head of more than 64 KiB", null);
            }
            text.append((char) c);
        }
    }

    /// Up to `most` of the bytes that came, as a view of this connection's own buffer, valid until the next call; empty at the end of the connection.
    ByteBuffer take(long most) throws IOException {
        if (from == to && !fill()) {
            return ByteBuffer.allocate(0);
        }
        int count = (int) Math.min(most, to - from);
        from += count;
        return ByteBuffer.wrap(buffer, from - count, count).slice();
    }

    private boolean fill() throws IOException {
        from = 0;
        to = 0;
        int count = in.read(buffer, 0, buffer.length);
        to = Math.max(count, 0);
        return count > 0;
    }

    void rest() {
        idleSince = System.nanoTime();
    }

    /// True when it has rested for at most `nanos` and the other side has neither closed it nor said anything.
    boolean isFresh(long nanos) {
        if (System.nanoTime() - idleSince > nanos || from != to) {
            return false;
        }
        try {
            channel.configureBlocking(false);
            int count = channel.read(ByteBuffer.allocate(1));
            channel.configureBlocking(true);
            return count == 0;
        } catch (IOException _) {
            return false;
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException _) {
            // It is gone either way.
        }
    }
}
