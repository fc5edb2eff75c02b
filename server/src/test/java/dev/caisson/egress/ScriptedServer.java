package dev.caisson.egress;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/// A server that keeps every byte it is sent and answers as a test says, well or badly.
final class ScriptedServer implements AutoCloseable {
    /// What happens on one connection.
    interface Script {
        void run(Connection connection) throws Exception;
    }

    private static final Pattern LENGTH = Pattern.compile("(?im)^content-length: *([0-9]+)");

    private final ServerSocket listening;
    private final Script script;
    private final AtomicInteger connections = new AtomicInteger();
    private final BlockingQueue<String> requests = new LinkedBlockingQueue<>();
    private final List<Socket> open = new CopyOnWriteArrayList<>();

    ScriptedServer(Script script) throws IOException {
        this(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), script);
    }

    ScriptedServer(ServerSocket listening, Script script) {
        this.listening = listening;
        this.script = script;
        Thread.ofVirtual().start(this::accept);
    }

    /// Answers each request with the same bytes.
    static Script always(String answer) {
        return connection -> {
            while (!connection.request().isEmpty()) {
                connection.answer(answer);
            }
        };
    }

    private void accept() {
        while (true) {
            try {
                Socket socket = listening.accept();
                open.add(socket);
                connections.incrementAndGet();
                Thread.ofVirtual().start(() -> {
                    try (socket) {
                        script.run(new Connection(socket));
                    } catch (Exception e) {
                        // The client sees a closed connection.
                    }
                });
            } catch (IOException e) {
                return;
            }
        }
    }

    int port() {
        return listening.getLocalPort();
    }

    int connections() {
        return connections.get();
    }

    /// The next request as it came, head and content.
    String request() throws InterruptedException {
        String next = requests.poll(10, TimeUnit.SECONDS);
        if (next == null) {
            throw new AssertionError("no request came");
        }
        return next;
    }

    boolean sawNothing() {
        return connections.get() == 0 && requests.isEmpty();
    }

    boolean hasNoMore() {
        return requests.isEmpty();
    }

    @Override
    public void close() throws IOException {
        listening.close();
        for (Socket each : open) {
            each.close();
        }
    }

    final class Connection {
        final Socket socket;
        final InputStream in;
        final OutputStream out;

        Connection(Socket socket) throws IOException {
            this.socket = socket;
            in = new BufferedInputStream(socket.getInputStream());
            out = socket.getOutputStream();
        }

        /// Reads one request; empty at the end.
        String request() throws IOException {
            String head = head();
            if (head.isEmpty()) {
                return "";
            }
            var whole = new StringBuilder(head);
            var length = LENGTH.matcher(head);
            if (length.find()) {
                whole.append(new String(in.readNBytes(Integer.parseInt(length.group(1))), StandardCharsets.ISO_8859_1));
            } else if (head.toLowerCase(Locale.ROOT).contains("\r\ntransfer-encoding: chunked\r\n")) {
                while (whole.indexOf("\r\n0\r\n\r\n", whole.length() - 7) < 0) {
                    whole.append((char) one());
                }
            }
            requests.add(whole.toString());
            return whole.toString();
        }

        String head() throws IOException {
            var head = new ByteArrayOutputStream();
            int matched = 0;
            while (matched < 4) {
                int next = in.read();
                if (next < 0) {
                    return "";
                }
                head.write(next);
                matched = next == "\r\n\r\n".charAt(matched) ? matched + 1 : next == '\r' ? 1 : 0;
            }
            return head.toString(StandardCharsets.ISO_8859_1);
        }

        private int one() throws IOException {
            int next = in.read();
            if (next < 0) {
                throw new IOException("broke off");
            }
            return next;
        }

        void answer(String text) throws IOException {
            out.write(text.getBytes(StandardCharsets.ISO_8859_1));
            out.flush();
        }
    }
}
