package dev.caisson.edge;

import dev.caisson.api.PortForwarder;
import dev.caisson.policy.Waking;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpHeaderValue;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpURI;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.http.MetaData;
import org.eclipse.jetty.server.HttpStream;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Blocker;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;

/// Carries requests into sandboxes through [Sandboxes#dial], and answers back, each piece as it comes.
///
/// Threads: safe for many; an exchange holds its caller's thread, and one more while a body goes in.
/// Cleanup: close cuts what goes on.
public final class Forwarder implements PortForwarder, AutoCloseable {
    private static final Duration LOOK = Duration.ofSeconds(1);
    /// Methods that may be sent again when a kept connection turns out to be closed.
    private static final Set<String> REPEATABLE = Set.of("GET", "HEAD", "OPTIONS");

    private final Sandboxes sandboxes;
    private final KnownSandboxes known;
    private final Waking waking;
    private final Admission admission;
    private final EdgeLimits limits;
    private final GuestPool pool = new GuestPool();
    private final Set<Exchange> exchanges = ConcurrentHashMap.newKeySet();
    private final ConcurrentHashMap<SandboxId, AtomicInteger> connections = new ConcurrentHashMap<>();
    private final Thread watch;

    Forwarder(Sandboxes sandboxes, KnownSandboxes known, Admission admission, EdgeLimits limits) {
        this.sandboxes = sandboxes;
        this.known = known;
        this.waking = new Waking(sandboxes);
        this.admission = admission;
        this.limits = limits;
        watch = Thread.ofVirtual().name("quiet").start(this::watch);
    }

    private void watch() {
        try {
            while (true) {
                Thread.sleep(LOOK);
                pool.tidy();
                exchanges.forEach(Exchange::cutWhenQuiet);
            }
        } catch (InterruptedException _) {
            // Closed.
        }
    }

    @Override
    public void forward(Request request, Response response, Callback callback, SandboxId sandbox, int port) {
        try {
            if (port == RESERVED_PORT) {
                new Refusal(404, "this port is not forwarded", "Port " + RESERVED_PORT + " belongs to Caisson.", sandbox.value(), port).answer(request, response, callback);
            } else if (!admission.admits(request, sandbox)) {
                refused(sandbox, port, "this port is private").answer(request, response, callback);
            } else {
                carry(request, response, callback, sandbox, port, request.getHttpURI().getPathQuery(), authority(request));
            }
        } catch (SandboxException e) {
            unreachable(e, sandbox, port).answer(request, response, callback);
        }
    }

    /// What the request says it is for; in HTTP/2 it is not among the headers.
    private static String authority(Request request) {
        String host = request.getHeaders().get(HttpHeader.HOST);
        String authority = request.getHttpURI().getAuthority();
        return host != null ? host : authority == null ? "" : authority;
    }

    static Refusal refused(SandboxId sandbox, int port, String why) {
        return new Refusal(403, why, "Ask whoever made this sandbox for a link, or send its traffic token in the header E2B-Traffic-Access-Token.", sandbox.value(), port);
    }

    static Refusal unreachable(SandboxException e, SandboxId sandbox, int port) {
        return switch (e.code()) {
            case SANDBOX_NOT_FOUND -> new Refusal(502, "The sandbox was not found", "It has ended, or there never was one of this name.", sandbox.value(), 0);
            case WRONG_STATE -> new Refusal(502, "The sandbox was not found running: it is paused or about to end", "Resume it, or make another.", sandbox.value(), 0);
            case PORT_CLOSED -> new Refusal(502, "The sandbox is running but port is not open", "Nothing listens on port " + port + " yet. Start a server there, then load this page again.", sandbox.value(), port);
            case TOO_MANY -> new Refusal(429, "too many connections to this sandbox", "Close some, then try again.", sandbox.value(), 0);
            default -> new Refusal(502, "The sandbox could not be reached", "Try again in a moment.", sandbox.value(), 0);
        };
    }

    /// Carries a request that has been admitted, and wakes the sandbox before if its maker wanted that.
    ///
    /// @param pathQuery for the request line
    /// @param authority for Host
    void carry(Request request, Response response, Callback callback, SandboxId sandbox, int port, String pathQuery, String authority) {
        if (HttpMethod.CONNECT.is(request.getMethod())) {
            new Refusal(405, "CONNECT is not forwarded", "Use an HTTP/1.1 upgrade.", sandbox.value(), port).answer(request, response, callback);
            return;
        }
        var key = new GuestPool.Key(sandbox, port);
        var outgoing = Outgoing.of(request, pathQuery, authority);
        try {
            if (known.of(sandbox).wakes()) {
                waking.wake(sandbox);
            }
            if (outgoing.body().isEmpty() && REPEATABLE.contains(request.getMethod()) && !outgoing.upgrade()) {
                Optional<GuestConnection> kept = pool.take(key);
                if (kept.isPresent() && exchange(request, response, callback, key, outgoing, kept.get(), true)) {
                    return;
                }
            }
            exchange(request, response, callback, key, outgoing, dial(key), false);
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.SANDBOX_NOT_FOUND) {
                known.forget(sandbox);
            }
            failed(request, response, callback, unreachable(e, sandbox, port), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            failed(request, response, callback, new Refusal(502, "The sandbox could not be reached", "This front is stopping.", sandbox.value(), 0), e);
        }
    }

    /// A request as it goes into a sandbox.
    ///
    /// @param body where its content comes from; empty when there is none
    private record Outgoing(MetaData.Request head, Optional<RequestBody> body, boolean upgrade) {
        static Outgoing of(Request request, String pathQuery, String authority) {
            HttpFields.Mutable fields = Heads.inward(request, authority);
            boolean upgrade = isUpgrade(request);
            if (upgrade) {
                fields.put(HttpHeader.CONNECTION, "Upgrade");
                fields.put(HttpHeader.UPGRADE, request.getHeaders().getCSV(HttpHeader.UPGRADE, true).getFirst());
            }
            var body = upgrade ? Optional.<RequestBody>empty() : RequestBody.of(request);
            long length = body.isEmpty() ? -1 : request.getLength();
            if (length >= 0) {
                fields.put(HttpHeader.CONTENT_LENGTH, length);
            }
            var head = new MetaData.Request(request.getMethod(), HttpURI.build().pathQuery(pathQuery), HttpVersion.HTTP_1_1, fields, length);
            return new Outgoing(head, body, upgrade);
        }

        private static boolean isUpgrade(Request request) {
            return request.getConnectionMetaData().getHttpVersion() == HttpVersion.HTTP_1_1
                    && request.getHeaders().contains(HttpHeader.CONNECTION, HttpHeaderValue.UPGRADE.asString())
                    && !request.getHeaders().getCSV(HttpHeader.UPGRADE, true).isEmpty()
                    && request.getLength() <= 0 && !request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
        }
    }

    private GuestConnection dial(GuestPool.Key key) throws InterruptedException {
        return new GuestConnection(sandboxes.dial(key.sandbox(), key.port()));
    }

    private void enter(SandboxId sandbox) {
        connections.compute(sandbox, (_, count) -> {
            var now = count == null ? new AtomicInteger() : count;
            if (now.get() >= limits.connections()) {
                throw Failure.Code.TOO_MANY.with("this sandbox has " + limits.connections() + " connections", "close some");
            }
            now.incrementAndGet();
            return now;
        });
    }

    private void leave(SandboxId sandbox) {
        connections.compute(sandbox, (_, count) -> count == null || count.decrementAndGet() == 0 ? null : count);
    }

    /// Answers false when nothing has happened but that the kept connection was found closed.
    private boolean exchange(Request request, Response response, Callback callback, GuestPool.Key key, Outgoing outgoing, GuestConnection guest, boolean kept) throws InterruptedException {
        try {
            enter(key.sandbox());
        } catch (SandboxException e) {
            guest.close();
            throw e;
        }
        var exchange = new Exchange(limits.answer(), guest::close);
        exchanges.add(exchange);
        request.addFailureListener(_ -> guest.close());
        // Silence is the exchange's to judge; but a body that stopped coming is the client's.
        request.addIdleTimeoutListener(_ -> outgoing.body().isPresent() && !outgoing.body().get().isOver());
        boolean handedOver = false;
        boolean keep = false;
        try {
            if (outgoing.body().isEmpty()) {
                guest.send(outgoing.head(), BufferUtil.EMPTY_BUFFER, true);
            } else {
                Thread.ofVirtual().name("body").start(() -> outgoing.body().get().pump(guest, outgoing.head(), limits.body(), exchange));
            }
            GuestConnection.Head head = awaitHead(request, response, guest, exchange);
            if (head.status() == 101) {
                if (!outgoing.upgrade()) {
                    throw new GuestConnection.NotHttp("an upgrade that nobody asked for");
                }
                handedOver = true;
                upgrade(request, response, callback, head, guest, exchange, key.sandbox());
                return true;
            }
            keep = answer(request, response, callback, head, guest, exchange) && guest.isReusable();
            return true;
        } catch (GuestConnection.NoAnswer e) {
            if (kept) {
                return false;
            }
            failed(request, response, callback, badAnswer(key, exchange, outgoing), e);
            return true;
        } catch (IOException e) {
            failed(request, response, callback, badAnswer(key, exchange, outgoing), e);
            return true;
        } catch (SandboxException e) {
            if (kept && !response.isCommitted() && !exchange.isOver()) {
                return false;
            }
            failed(request, response, callback, exchange.isOver() || cutByBody(outgoing) ? badAnswer(key, exchange, outgoing) : unreachable(e, key.sandbox(), key.port()), e);
            return true;
        } finally {
            if (!handedOver) {
                exchanges.remove(exchange);
                leave(key.sandbox());
                if (keep && !exchange.isOver()) {
                    pool.keep(key, guest);
                } else {
                    guest.close();
                }
            }
        }
    }

    private GuestConnection.Head awaitHead(Request request, Response response, GuestConnection guest, Exchange exchange) throws IOException, InterruptedException {
        while (true) {
            GuestConnection.Head head = guest.head(HttpMethod.HEAD.is(request.getMethod()));
            exchange.moved();
            if (!head.isInterim()) {
                return head;
            }
            if (head.status() == 103) {
                var hints = HttpFields.build();
                Heads.outward(head.fields(), hints);
                response.writeInterim(103, hints);
            }
        }
    }

    /// Answers true when all of it went out.
    private static boolean answer(Request request, Response response, Callback callback, GuestConnection.Head head, GuestConnection guest, Exchange exchange) throws IOException, InterruptedException {
        response.setStatus(head.status());
        Heads.outward(head.fields(), response.getHeaders());
        boolean noContent = HttpMethod.HEAD.is(request.getMethod()) || head.status() == 204 || head.status() == 304;
        long left = head.status() == 204 || head.fields().contains(HttpHeader.TRANSFER_ENCODING) ? -1 : head.fields().getLongField(HttpHeader.CONTENT_LENGTH);
        if (left >= 0) {
            response.getHeaders().put(HttpHeader.CONTENT_LENGTH, left);
        }
        Optional<ByteBuffer> piece = guest.content(noContent);
        if (piece.isEmpty() && !guest.isComplete()) {
            // The head may be all that comes for a long time.
            write(response, false, BufferUtil.EMPTY_BUFFER);
            piece = guest.content(true);
        }
        while (piece.isPresent()) {
            exchange.moved();
            left -= piece.get().remaining();
            boolean last = left == 0;
            write(response, last, piece.get());
            piece = guest.content(true);
        }
        callback.succeeded();
        return true;
    }

    private static void write(Response response, boolean last, ByteBuffer bytes) throws IOException {
        try (var written = Blocker.callback()) {
            response.write(last, bytes, written);
            written.block();
        }
    }

    private void upgrade(Request request, Response response, Callback callback, GuestConnection.Head head, GuestConnection guest, Exchange exchange, SandboxId sandbox) {
        response.setStatus(101);
        Heads.outward(head.fields(), response.getHeaders());
        response.getHeaders().put(HttpHeader.CONNECTION, "Upgrade");
        String protocol = head.fields().get(HttpHeader.UPGRADE);
        response.getHeaders().put(HttpHeader.UPGRADE, protocol == null ? "" : protocol);
        exchange.patience(limits.upgraded());
        var endPoint = request.getConnectionMetaData().getConnection().getEndPoint();
        var left = new java.util.concurrent.atomic.AtomicBoolean();
        var tunnel = new Tunnel(endPoint, request.getComponents().getExecutor(), guest, exchange::moved, () -> {
            if (left.compareAndSet(false, true)) {
                exchanges.remove(exchange);
                leave(sandbox);
            }
        });
        request.setAttribute(HttpStream.UPGRADE_CONNECTION_ATTRIBUTE, tunnel);
        Request.addCompletionListener(request, failure -> {
            if (failure != null) {
                tunnel.onClose(failure);
            }
        });
        callback.succeeded();
    }

    private static boolean cutByBody(Outgoing outgoing) {
        return outgoing.body().isPresent() && outgoing.body().get().isCut();
    }

    private static Refusal badAnswer(GuestPool.Key key, Exchange exchange, Outgoing outgoing) {
        String sandbox = key.sandbox().value();
        if (cutByBody(outgoing)) {
            return new Refusal(408, "the body of the request stopped coming", "Send it again, without a pause.", sandbox, key.port());
        }
        if (exchange.isOver()) {
            return new Refusal(504, "The server in the sandbox did not answer in time", "Look what it is doing.", sandbox, key.port());
        }
        return new Refusal(502, "The server in the sandbox did not give an answer in HTTP/1.1", "It closed the connection, or speaks another protocol on port " + key.port() + ".", sandbox, key.port());
    }

    /// Says why, or where an answer has begun, cuts it: that is the message then.
    private static void failed(Request request, Response response, Callback callback, Refusal why, Throwable cause) {
        if (response.isCommitted()) {
            callback.failed(cause);
            return;
        }
        response.reset();
        why.answer(request, response, callback);
    }

    /// Connections into sandboxes that wait for the next request.
    int kept() {
        return pool.kept();
    }

    @Override
    public void close() {
        watch.interrupt();
        pool.close();
    }
}
