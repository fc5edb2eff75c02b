package dev.caisson.edge;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/// A server "in a sandbox" that does whatever a test says with each connection, and keeps the heads it was sent.
final class Guest implements AutoCloseable {
    /// What it does with a connection, after each head.
    interface Behaviour {
        void answer(String head, Socket connection) throws IOException;
    }

    final List<String> heads = new CopyOnWriteArrayList<>();
    private final ServerSocket listening;
    private final Behaviour behaviour;

    Guest(Behaviour behaviour) {
        this.behaviour = behaviour;
        try {
            listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().start(this::accept);
    }

    /// Answers every request with these bytes, and closes.
    static Guest saying(String bytes) {
        return new Guest((_, connection) -> {
            say(connection, bytes);
            connection.close();
        });
    }

    /// Answers `hi` with a length, and goes on.
    static Guest polite() {
        return new Guest((_, connection) -> say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    }

    static void say(Socket connection, String bytes) throws IOException {
        connection.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
        connection.getOutputStream().flush();
    }

    int port() {
        return listening.getLocalPort();
    }

    private void accept() {
        while (true) {
            try {
                Socket connection = listening.accept();
                Thread.ofVirtual().start(() -> serve(connection));
            } catch (IOException _) {
                return;
            }
        }
    }

    private void serve(Socket connection) {
        try (connection) {
            for (String head = head(connection.getInputStream()); !head.isEmpty(); head = head(connection.getInputStream())) {
                heads.add(head);
                behaviour.answer(head, connection);
            }
        } catch (IOException _) {
            // The other side let go.
        }
    }

    /// Up to the empty line; empty at the end.
    static String head(InputStream in) throws IOException {
        var head = new StringBuilder();
        while (!head.toString().endsWith("\r\n\r\n")) {
            int next = in.read();
            if (next < 0) {
                return "";
            }
            head.append((char) next);
        }
        return head.toString();
    }

    @Override
    public void close() throws IOException {
        listening.close();
    }
}
