package dev.caisson.cli;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;

/// One HTTP/1.1 connection to the front, with as little around it as can be: what a measure sees through it is the server's time.
///
/// Threads: one at a time. Cleanup: close ends the connection.
final class RawHttp implements AutoCloseable {
    private static final int WITHIN_MS = 60_000;
    private static final int BUFFER = 64 * 1024;

    private final Socket socket;
    private final InputStream in;
    private final byte[] buffer = new byte[BUFFER];
    private int from;
    private int to;
    /// Of the current answer's body, or of its chunk; -1 when chunks are to come.
    private long left;
    private boolean chunked;

    RawHttp(URI server) throws IOException {
        socket = new Socket(server.getHost(), server.getPort());
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(WITHIN_MS);
        in = socket.getInputStream();
    }

    /// @param head request line and headers, each with its line end, without the empty line
    void send(String head, byte[] body) throws IOException {
        byte[] start = (head + "Content-Length: " + body.length + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
        byte[] all = java.util.Arrays.copyOf(start, start.length + body.length);
        System.arraycopy(body, 0, all, start.length, body.length);
        socket.getOutputStream().write(all);
    }

    /// Sends a request with a body of so many bytes, all of them zero.
    void sendZeros(String head, long length) throws IOException {
        socket.getOutputStream().write((head + "Content-Length: " + length + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
        byte[] piece = new byte[BUFFER];
        for (long rest = length; rest > 0; rest -= Math.min(rest, piece.length)) {
            socket.getOutputStream().write(piece, 0, (int) Math.min(rest, piece.length));
        }
    }

    /// The next answer's status; its body is read next.
    int status() throws IOException {
        String line = line();
        var headers = new HashMap<String, String>();
        for (String header = line(); !header.isEmpty(); header = line()) {
            headers.put(header.substring(0, header.indexOf(':')).toLowerCase(Locale.ROOT), header.substring(header.indexOf(':') + 1).strip());
        }
        chunked = headers.containsKey("transfer-encoding");
        left = chunked ? -1 : Long.parseLong(headers.getOrDefault("content-length", "0"));
        return Integer.parseInt(line.split(" ")[1]);
    }

    /// So many bytes of the body; fewer only at its end.
    byte[] bytes(int count) throws IOException {
        byte[] some = new byte[count];
        int got = 0;
        while (got < count && more()) {
            int now = (int) Math.min(Math.min(count - got, left), to - from);
            System.arraycopy(buffer, from, some, got, now);
            took(now);
            got += now;
        }
        return got == count ? some : java.util.Arrays.copyOf(some, got);
    }

    /// Reads the rest of the body and counts it.
    long rest() throws IOException {
        long count = 0;
        while (more()) {
            int now = (int) Math.min(left, to - from);
            took(now);
            count += now;
        }
        return count;
    }

    /// The rest of the body as text.
    String text() throws IOException {
        return new String(bytes(1 << 20), StandardCharsets.UTF_8);
    }

    private void took(int count) {
        from += count;
        left -= count;
    }

    /// True when there is a byte of the body in the buffer.
    private boolean more() throws IOException {
        if (chunked && left <= 0) {
            if (left == 0) {
                line();
            }
            left = Long.parseLong(line(), 16);
            if (left == 0) {
                line();
                chunked = false;
            }
        }
        if (left <= 0) {
            return false;
        }
        if (from == to) {
            fill();
        }
        return true;
    }

    private void fill() throws IOException {
        from = 0;
        to = in.read(buffer);
        if (to < 0) {
            throw new EOFException("the answer broke off");
        }
    }

    private String line() throws IOException {
        var line = new StringBuilder();
        while (true) {
            if (from == to) {
                fill();
            }
            char next = (char) buffer[from++];
            if (next == '\n') {
                return line.toString();
            }
            if (next != '\r') {
                line.append(next);
            }
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
