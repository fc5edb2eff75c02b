package dev.caisson.runtime.firecracker;

import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import tools.jackson.core.JsonGenerator;

/// One connection to a Firecracker's API: HTTP/1.1 over its unix socket, one request after the other.
///
/// What comes back is a stranger's, since a guest may have taken its VMM: it is bounded in time and size, and anything odd ends the connection.
/// Our own client and not a library's: the API answers with a length or nothing, and everything that a full client brings besides (pools, threads, redirects,
/// encodings, cookies) would have to be turned off here.
/// Threads: one at a time.
final class FirecrackerApi implements AutoCloseable {
    private static final Duration LOOK_AGAIN = Duration.ofNanos(300_000);
    private static final int SOCKET_TYPE = 0140000;
    private static final int TYPE_MASK = 0170000;

    private final SocketChannel channel;
    private final Selector selector;
    private final SelectionKey key;

    private FirecrackerApi(SocketChannel channel) throws IOException {
        this.channel = channel;
        this.selector = Selector.open();
        this.key = channel.register(selector, 0);
    }

    /// @param socket in a directory that nobody but root can change; bound, perhaps not listening yet
    /// @param user whose socket it must be
    static FirecrackerApi connect(Path socket, int user, Duration bound) throws IOException, InterruptedException {
        if ((attribute(socket, "unix:mode") & TYPE_MASK) != SOCKET_TYPE || attribute(socket, "unix:uid") != user) {
            throw new IOException("what should be Firecracker's API socket is none of user " + user + ": " + socket);
        }
        long until = System.nanoTime() + bound.toNanos();
        while (true) {
            var channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                // Not blocking: a listener that takes nobody in would hold a blocking one for ever.
                channel.configureBlocking(false);
                if (!channel.connect(UnixDomainSocketAddress.of(socket))) {
                    throw new IOException("Firecracker's API takes no connection: " + socket);
                }
                return new FirecrackerApi(channel);
            } catch (ConnectException e) {
                channel.close();
                if (System.nanoTime() > until) {
                    throw new IOException("nobody listens at Firecracker's API socket " + socket + ": it has ended", e);
                }
                Thread.sleep(LOOK_AGAIN);
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
        }
    }

    private static int attribute(Path file, String name) throws IOException {
        return (int) Files.getAttribute(file, name, LinkOption.NOFOLLOW_LINKS);
    }

    /// Asks for something.
    JsonObject get(String path, Duration bound) throws IOException, InterruptedException {
        var answer = call("GET", path, new byte[0], bound);
        try {
            return JsonObject.parse(answer.body());
        } catch (SandboxException e) {
            throw new IOException("Firecracker's answer to GET " + path + " makes no sense: " + e.getMessage(), e);
        }
    }

    /// Sets something; a refusal is an [IOException] with Firecracker's words.
    void put(String path, Consumer<JsonGenerator> keys, Duration bound) throws IOException, InterruptedException {
        call("PUT", path, Json.object(keys), bound);
    }

    void patch(String path, Consumer<JsonGenerator> keys, Duration bound) throws IOException, InterruptedException {
        call("PATCH", path, Json.object(keys), bound);
    }

    private HttpAnswer call(String method, String path, byte[] body, Duration bound) throws IOException, InterruptedException {
        String what = method + " " + path;
        long until = System.nanoTime() + bound.toNanos();
        var head = what + " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
                + (body.length == 0 ? "" : "Content-Type: application/json\r\nContent-Length: " + body.length + "\r\n") + "\r\n";
        write(ByteBuffer.allocate(head.length() + body.length).put(head.getBytes(StandardCharsets.US_ASCII)).put(body).flip(), until, what);
        var answer = read(until, what);
        if (!answer.isGood()) {
            throw new IOException("Firecracker refused " + what + " with status " + answer.status() + ": " + fault(answer));
        }
        return answer;
    }

    private void write(ByteBuffer bytes, long until, String what) throws IOException, InterruptedException {
        while (true) {
            try {
                channel.write(bytes);
            } catch (IOException e) {
                throw new IOException("Firecracker hung up at " + what, e);
            }
            if (!bytes.hasRemaining()) {
                return;
            }
            await(SelectionKey.OP_WRITE, until, what);
        }
    }

    private HttpAnswer read(long until, String what) throws IOException, InterruptedException {
        var bytes = ByteBuffer.allocate(HttpAnswer.MAX_BYTES + 1);
        while (true) {
            int count;
            try {
                count = channel.read(bytes);
            } catch (IOException e) {
                throw new IOException("Firecracker hung up at " + what, e);
            }
            if (count < 0) {
                throw new IOException("Firecracker hung up at " + what);
            }
            if (count > 0) {
                var answer = HttpAnswer.of(bytes.array(), bytes.position());
                if (answer.isPresent()) {
                    return answer.get();
                }
            } else {
                await(SelectionKey.OP_READ, until, what);
            }
        }
    }

    private void await(int operation, long until, String what) throws IOException, InterruptedException {
        key.interestOps(operation);
        long left = until - System.nanoTime();
        int ready = left <= 0 ? 0 : selector.select(_ -> {}, left / 1_000_000 + 1);
        if (Thread.interrupted()) {
            throw new InterruptedException("at " + what);
        }
        if (ready == 0 && System.nanoTime() >= until) {
            throw new IOException("Firecracker did not answer " + what + " in time");
        }
    }

    private static String fault(HttpAnswer answer) {
        try {
            return Failure.shown(JsonObject.parse(answer.body()).text("fault_message"), 600);
        } catch (SandboxException _) {
            return "no reason given";
        }
    }

    @Override
    public void close() throws IOException {
        selector.close();
        channel.close();
    }
}
