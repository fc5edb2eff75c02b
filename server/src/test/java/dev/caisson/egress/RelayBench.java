package dev.caisson.egress;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;

/// Relays between clients of a test and a server of it, over loopback, and keeps what the relays told.
final class RelayBench implements AutoCloseable {
    static final BiFunction<String, String, RelayOwner.Answer> ALL = (_, _) -> new RelayOwner.Allowed("request:1");

    /// TLS is opened in the name of the destination's host.
    ///
    /// @param sandbox whom the client trusts
    /// @param tls whom the relay trusts
    record Tls(SandboxAuthority sandbox, OpenedTls tls) {}

    /// How connections are relayed.
    ///
    /// @param host of the destination; its port is the relay's own, so that clients may name what they connected to
    record Setup(String host, BiFunction<String, String, RelayOwner.Answer> judge, boolean paths, Optional<Tls> tls, SandboxSecrets secrets, RelayTimes times) {
        static final Setup PLAIN = new Setup("localhost", ALL, false, Optional.empty(), SandboxSecrets.NONE, RelayTimes.DEFAULT);

        Setup judging(BiFunction<String, String, RelayOwner.Answer> other) {
            return new Setup(host, other, paths, tls, secrets, times);
        }

        Setup withPaths() {
            return new Setup(host, judge, true, tls, secrets, times);
        }

        Setup opening(Tls other) {
            return new Setup(host, judge, paths, Optional.of(other), secrets, times);
        }

        Setup with(SandboxSecrets others) {
            return new Setup(host, judge, paths, tls, others, times);
        }

        Setup within(RelayTimes others) {
            return new Setup(host, judge, paths, tls, secrets, others);
        }

        Setup at(String other) {
            return new Setup(other, judge, paths, tls, secrets, times);
        }
    }

    private final Setup setup;
    private final int server;
    private final ServerSocketChannel listening;
    private final Deadlines deadlines;
    private final List<HttpRelay> relays = new CopyOnWriteArrayList<>();
    final List<String> requests = new CopyOnWriteArrayList<>();
    final List<String> answers = new CopyOnWriteArrayList<>();
    final List<String> refusals = new CopyOnWriteArrayList<>();
    final List<String> placeholders = new CopyOnWriteArrayList<>();
    final BlockingQueue<String> ends = new LinkedBlockingQueue<>();
    final AtomicLong sent = new AtomicLong();
    final AtomicLong received = new AtomicLong();

    RelayBench(Setup setup, int server) throws IOException {
        this.setup = setup;
        this.server = server;
        deadlines = new Deadlines(setup.times);
        listening = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 512);
        Thread.ofVirtual().start(this::accept);
    }

    private void accept() {
        while (true) {
            try {
                SocketChannel client = listening.accept();
                Thread.ofVirtual().start(() -> relay(client));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void relay(SocketChannel client) {
        try (client) {
            client.setOption(StandardSocketOptions.TCP_NODELAY, true);
            var to = new Destination(setup.host, port(), setup.tls.isPresent());
            Wire wire = setup.tls.isPresent() ? setup.tls.get().tls.accept(client.socket(), hello(client.socket()), setup.tls.get().sandbox, setup.host) : Wire.of(client.socket());
            var relay = new HttpRelay(wire, to, new Owner(), setup.secrets, deadlines);
            relays.add(relay);
            ends.add(relay.run());
        } catch (IOException e) {
            ends.add("handshake: " + e.getMessage());
        }
    }

    /// As the gateway does, which has looked at the first bytes.
    private static byte[] hello(Socket client) throws IOException {
        return client.getInputStream().readNBytes(40);
    }

    private final class Owner implements RelayOwner {
        @Override
        public boolean looksAtPaths() {
            return setup.paths;
        }

        @Override
        public Answer request(String method, String path) {
            requests.add(method + " " + path);
            return setup.judge.apply(method, path);
        }

        @Override
        public Wire dial() throws IOException {
            var channel = SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), server));
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            return setup.tls.isPresent() ? setup.tls.get().tls.connect(channel.socket(), setup.host, 443) : Wire.of(channel.socket());
        }

        @Override
        public void moved(int out, int in) {
            sent.addAndGet(out);
            received.addAndGet(in);
        }

        @Override
        public void answered(String method, String path, int status) {
            answers.add(method + " " + path + " " + status);
        }

        @Override
        public void refused(int status, String reason) {
            refusals.add(status + " " + reason);
        }

        @Override
        public void placeholderSeen(String secret, String where) {
            placeholders.add(secret + " in " + where);
        }
    }

    int port() {
        return listening.socket().getLocalPort();
    }

    /// Where a client is told to go.
    String authority() {
        return setup.host + ":" + port();
    }

    HttpRelay onlyRelay() {
        return relays.getFirst();
    }

    /// Why the next relay that ends has ended.
    String ended() throws InterruptedException {
        String reason = ends.poll(15, TimeUnit.SECONDS);
        if (reason == null) {
            throw new AssertionError("the relay did not end");
        }
        return reason;
    }

    Client connect() throws IOException {
        return new Client(new Socket(InetAddress.getLoopbackAddress(), port()));
    }

    /// Sends bytes on a connection of their own, and answers all that comes back until the relay closes it.
    String exchange(String bytes) throws IOException {
        try (var client = connect()) {
            client.send(bytes);
            return client.rest();
        }
    }

    @Override
    public void close() throws IOException {
        listening.close();
        relays.forEach(relay -> relay.cut("the test is over"));
        deadlines.close();
    }

    /// A client that says exactly what it is told to.
    record Client(Socket socket) implements AutoCloseable {
        Client {
            try {
                socket.setSoTimeout(15_000);
            } catch (java.net.SocketException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        void send(String bytes) throws IOException {
            socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
            socket.getOutputStream().flush();
        }

        String rest() throws IOException {
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        }

        /// Reads until what came ends so.
        String until(String end) throws IOException {
            InputStream in = socket.getInputStream();
            var read = new StringBuilder();
            while (read.length() < end.length() || read.indexOf(end, read.length() - end.length()) < 0) {
                int next = in.read();
                if (next < 0) {
                    throw new IOException("ended after: " + read);
                }
                read.append((char) next);
            }
            return read.toString();
        }

        /// Reads one answer with a Content-Length, or without content.
        String answer() throws IOException {
            String head = until("\r\n\r\n");
            var length = java.util.regex.Pattern.compile("content-length: ([0-9]+)").matcher(head.toLowerCase(Locale.ROOT));
            return length.find() ? head + new String(socket.getInputStream().readNBytes(Integer.parseInt(length.group(1))), StandardCharsets.ISO_8859_1) : head;
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }
}
