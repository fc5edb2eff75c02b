package dev.caisson.egress;

import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.function.Function;

/// Takes the DNS queries of all sandboxes, over UDP and TCP, and sends the answers.
///
/// Queries in flight are bounded per sandbox, so that one that asks for slow names leaves room for the others, and in all; what is more is dropped, which a client takes
/// for a lost datagram.
/// Threads: safe for many; each query is answered on a virtual thread of its own.
final class NameServer {
    static final int MAX_IN_FLIGHT = 1_024;
    static final int MAX_IN_FLIGHT_EACH = 16;
    static final int MAX_QUERIES_PER_CONNECTION = 64;
    /// From one query over TCP to the end of the next.
    static final Duration IDLE = Duration.ofSeconds(10);
    /// In a row.
    private static final int MAX_FAILURES = 100;
    /// Room for every answer a connection can get, so that a write never waits for a client that does not read.
    private static final int SEND_BUFFER = 64 * 1024;
    private static final Logger LOG = System.getLogger(NameServer.class.getName());

    private final NameService service;
    private final Duration idle;
    private final Semaphore inFlight = new Semaphore(MAX_IN_FLIGHT);
    private final Map<NameView, Integer> inFlightEach = new ConcurrentHashMap<>();

    NameServer(NameService service) {
        this(service, IDLE);
    }

    NameServer(NameService service, Duration idle) {
        this.service = service;
        this.idle = idle;
    }

    /// Serves until the channel is closed.
    ///
    /// @param channel bound, blocking; the answers leave through it
    /// @param views the sandbox that an address belongs to; queries of nobody are dropped
    /// Errors: [IOException] when the channel gives nothing else any more.
    void serveUdp(DatagramChannel channel, Function<InetSocketAddress, Optional<NameView>> views) throws IOException {
        // One byte more than is taken, so that a longer query is seen to be one.
        var buffer = ByteBuffer.allocate(NameQuery.MAX_BYTES + 1);
        int failures = 0;
        while (channel.isOpen()) {
            try {
                if (channel.receive(buffer.clear()) instanceof InetSocketAddress source) {
                    byte[] query = new byte[buffer.flip().remaining()];
                    buffer.get(query);
                    views.apply(source).ifPresent(view -> start(view, () -> reply(channel, source, query, view)));
                }
                failures = 0;
            } catch (ClosedChannelException _) {
                return;
            } catch (IOException e) {
                // Of one datagram, such as a port that nobody listens on any more.
                if (++failures == MAX_FAILURES) {
                    throw e;
                }
                LOG.log(Logger.Level.DEBUG, "a DNS query could not be taken", e);
            }
        }
    }

    private void start(NameView view, Runnable query) {
        if (enter(view)) {
            Thread.ofVirtual().name("dns").start(() -> {
                try {
                    query.run();
                } finally {
                    leave(view);
                }
            });
        }
    }

    private boolean enter(NameView view) {
        if (!inFlight.tryAcquire()) {
            return false;
        }
        boolean[] entered = {false};
        inFlightEach.compute(view, (_, count) -> {
            int now = count == null ? 0 : count;
            entered[0] = now < MAX_IN_FLIGHT_EACH;
            return entered[0] ? now + 1 : now;
        });
        if (!entered[0]) {
            inFlight.release();
        }
        return entered[0];
    }

    private void leave(NameView view) {
        inFlightEach.computeIfPresent(view, (_, count) -> count == 1 ? null : count - 1);
        inFlight.release();
    }

    private void reply(DatagramChannel channel, InetSocketAddress source, byte[] query, NameView view) {
        try {
            var answer = service.answer(query, view);
            if (answer.isPresent()) {
                channel.send(ByteBuffer.wrap(answer.get()), source);
            }
        } catch (IOException e) {
            LOG.log(Logger.Level.DEBUG, "a DNS answer could not be sent", e);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /// Serves one connection until its client is done, or has asked enough, or is slow; then closes it.
    ///
    /// @param connection blocking
    void serveTcp(SocketChannel connection, NameView view) throws InterruptedException {
        try (connection) {
            connection.setOption(StandardSocketOptions.SO_SNDBUF, SEND_BUFFER);
            for (int i = 0; i < MAX_QUERIES_PER_CONNECTION; i++) {
                var query = next(connection);
                if (query.isEmpty() || !enter(view)) {
                    return;
                }
                try {
                    var answer = service.answer(query.get(), view);
                    if (answer.isEmpty()) {
                        return;
                    }
                    var framed = ByteBuffer.allocate(answer.get().length + 2).putShort((short) answer.get().length).put(answer.get()).flip();
                    while (framed.hasRemaining()) {
                        connection.write(framed);
                    }
                } finally {
                    leave(view);
                }
            }
        } catch (IOException e) {
            LOG.log(Logger.Level.DEBUG, "a DNS connection ended", e);
        }
    }

    /// The next query; empty when there is none, or one that is too long to be read.
    private Optional<byte[]> next(SocketChannel connection) throws IOException {
        long until = System.nanoTime() + idle.toNanos();
        var length = exactly(connection, 2, until);
        if (length.isEmpty()) {
            return Optional.empty();
        }
        int bytes = Short.toUnsignedInt(ByteBuffer.wrap(length.get()).getShort());
        return bytes > NameQuery.MAX_BYTES ? Optional.empty() : exactly(connection, bytes, until);
    }

    private static Optional<byte[]> exactly(SocketChannel connection, int count, long until) throws IOException {
        byte[] bytes = new byte[count];
        // The channel's own reads have no timeout; those of its socket have.
        var socket = connection.socket();
        InputStream in = socket.getInputStream();
        for (int at = 0; at < count; ) {
            long nanos = until - System.nanoTime();
            if (nanos <= 0) {
                throw new SocketTimeoutException("its client is slow");
            }
            socket.setSoTimeout((int) (nanos / 1_000_000 + 1));
            int more = in.read(bytes, at, count - at);
            if (more < 0) {
                return Optional.empty();
            }
            at += more;
        }
        return Optional.of(bytes);
    }
}
