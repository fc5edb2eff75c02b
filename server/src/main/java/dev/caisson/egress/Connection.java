package dev.caisson.egress;

import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.Flow;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// One connection of a sandbox, from its acceptance to its end: judged by where it goes, then by what it says first, then dialed, then passed on.
///
/// ```
///   address ─▶ name it was given out for ─▶ rules ─▶ raw: dial
///                                                 └▶ first bytes ─▶ TLS: server name ─▶ dial, or open it ─▶ requests
///                                                                └▶ HTTP: requests, each judged
/// ```
/// What is refused is reset, so that no client waits. Threads: one runs it and one more moves the other direction; anybody may [#cut] it.
final class Connection {
    private static final int FIRST_BYTES = 2_048;
    private static final Duration FIRST_BYTES_WITHIN = Duration.ofSeconds(10);

    private final Outlet outlet;
    private final SocketChannel client;
    private final GatewayParts parts;
    private final InetAddress wanted;
    private final int port;
    private final Instant began;
    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong received = new AtomicLong();

    private String host = "";
    private String rule = "";
    private String protocol = EgressProtocol.TCP.label();
    private volatile @Nullable Way way;
    private volatile @Nullable SocketChannel upstream;
    private volatile @Nullable HttpExchange exchange;
    private volatile String cutReason = "";

    /// How a connection was let out.
    ///
    /// @param rule that allowed it
    /// @param address that was dialed
    /// @param protocol that was allowed: TCP for bytes that are not looked at
    record Way(String rule, InetAddress address, EgressProtocol protocol) {}

    /// Ends a connection with a reason, for the log.
    private static final class RefusedException extends IOException {
        private final String rule;

        RefusedException(String rule, String reason) {
            super(reason);
            this.rule = rule;
        }
    }

    /// @param client blocking; its local address is where the sandbox wanted to go
    Connection(Outlet outlet, SocketChannel client, GatewayParts parts) throws IOException {
        this.outlet = outlet;
        this.client = client;
        this.parts = parts;
        var local = (InetSocketAddress) client.getLocalAddress();
        this.wanted = local.getAddress();
        this.port = local.getPort();
        this.began = outlet.now();
    }

    /// Serves it to its end.
    void run() {
        if (!outlet.spending().open()) {
            refused("budget", "more connections at a time than the budget allows");
            return;
        }
        outlet.opened(this);
        try {
            if (!outlet.spend()) {
                throw new RefusedException("budget", "more requests a second than the budget allows");
            }
            if (outlet.spending().isSpent()) {
                throw new RefusedException("budget", "as many bytes have passed as the budget allows");
            }
            client.setOption(StandardSocketOptions.TCP_NODELAY, true);
            client.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            serve();
            ended("");
        } catch (RefusedException e) {
            refused(e.rule, String.valueOf(e.getMessage()));
        } catch (IOException e) {
            ended(String.valueOf(e.getMessage()));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            ended("the gateway ends");
        } finally {
            outlet.spending().closed();
            outlet.ended(this);
            close(upstream);
            close(client);
        }
    }

    private void serve() throws IOException, InterruptedException {
        Optional<String> name = outlet.nameOf(wanted);
        if (name.isEmpty() && SyntheticAddresses.areThese(wanted)) {
            throw new RefusedException("resolver", "no name was looked up that has this address");
        }
        host = name.orElse("");
        var judge = outlet.judge();
        var admission = name.isPresent() ? judge.connect(host, port) : judge.connect(wanted, port);
        if (admission instanceof Admission.Admitted admitted) {
            rule = admitted.rule();
        }
        switch (admission) {
            case Admission.Refused(String by, String reason) -> throw new RefusedException(by, reason);
            case Admission.Admitted admitted when admitted.raw() && !admitted.watched() -> raw(EgressProtocol.TCP, ByteBuffer.allocate(0));
            case Admission.Admitted admitted when admitted.raw() -> watched();
            case Admission.Admitted admitted -> seen(admitted);
        }
    }

    /// Bytes go through, but a name among the first of them may be denied. Servers that speak first are waited for with the client.
    private void watched() throws IOException, InterruptedException {
        var dialed = dial(EgressProtocol.TCP);
        var back = Thread.ofVirtual().name("egress-back").start(() -> back(dialed));
        ByteBuffer first = firstBytes(Duration.ZERO);
        if (!first.hasRemaining()) {
            dialed.shutdownOutput();
        } else {
            refuseSeenName(first);
            forward(dialed, first);
        }
        back.join();
    }

    private void refuseSeenName(ByteBuffer first) throws IOException {
        switch (Opening.read(first)) {
            case Opening.Tls _ when ClientHello.read(first) instanceof ClientHello.Hello hello && hello.serverName().isPresent() -> refuseDenied(hello.serverName().get(), EgressProtocol.TLS);
            case Opening.Http _ when HostHeader.in(first).isPresent() -> refuseDenied(HostHeader.in(first).get(), EgressProtocol.HTTP);
            case Opening.Tls _, Opening.Http _, Opening.NeedMore _, Opening.Neither _ -> {}
        }
    }

    /// A name that the client speaks of may be denied, wherever the connection goes.
    private void refuseDenied(String said, EgressProtocol as) throws IOException {
        var decision = outlet.judge().seen(said, way == null ? wanted : way.address(), port, as);
        if (!decision.allowed()) {
            host = host.isEmpty() ? said : host;
            throw new RefusedException(decision.rule(), decision.reason());
        }
    }

    /// Only TLS or HTTP may be spoken, so what is said first decides.
    private void seen(Admission.Admitted admitted) throws IOException, InterruptedException {
        ByteBuffer first = firstBytes(FIRST_BYTES_WITHIN);
        switch (Opening.read(first)) {
            case Opening.Neither(String reason) -> throw new RefusedException(admitted.rule(), reason + "; other protocols need a rule for tcp");
            case Opening.NeedMore _ -> throw new RefusedException(admitted.rule(), "the client said nothing that shows what it speaks; other protocols need a rule for tcp");
            case Opening.Tls _ -> tls(admitted, first);
            case Opening.Http _ -> http(admitted, first);
        }
    }

    private void tls(Admission.Admitted admitted, ByteBuffer first) throws IOException, InterruptedException {
        protocol = EgressProtocol.TLS.label();
        if (!admitted.protocols().contains(EgressProtocol.TLS)) {
            throw new RefusedException(admitted.rule(), "TLS is not allowed here");
        }
        switch (ClientHello.read(first)) {
            case ClientHello.NeedMore _ -> throw new RefusedException(admitted.rule(), "the TLS hello did not come");
            case ClientHello.Malformed(String reason) -> throw new RefusedException(admitted.rule(), "the TLS hello is not understood: " + reason);
            case ClientHello.Hello hello -> {
                if (admitted.watched() && hello.serverName().isPresent()) {
                    refuseDenied(hello.serverName().get(), EgressProtocol.TLS);
                }
                if (!host.isEmpty() && hello.serverName().isEmpty()) {
                    throw new RefusedException(admitted.rule(), "the TLS hello names no server");
                }
                if (!host.isEmpty() && !hello.serverName().get().equals(host)) {
                    throw new RefusedException(admitted.rule(), "the TLS hello names " + hello.serverName().get() + ", which is not the host that was looked up");
                }
                if (admitted.inspect()) {
                    exchange(new Destination(host, port, true), first);
                } else if (hello.encrypted()) {
                    throw new RefusedException(admitted.rule(), "the TLS hello has an encrypted part (ECH), which cannot be judged");
                } else {
                    raw(EgressProtocol.TLS, first);
                }
            }
        }
    }

    private void http(Admission.Admitted admitted, ByteBuffer first) throws IOException {
        protocol = EgressProtocol.HTTP.label();
        if (!admitted.protocols().contains(EgressProtocol.HTTP)) {
            throw new RefusedException(admitted.rule(), "HTTP without TLS is not allowed here");
        }
        exchange(new Destination(host.isEmpty() ? wanted.getHostAddress() : host, port, false), first);
    }

    private void exchange(Destination destination, ByteBuffer first) throws IOException {
        var made = new HttpExchange(outlet, this, destination, parts);
        exchange = made;
        if (!cutReason.isEmpty()) {
            throw new IOException(cutReason);
        }
        made.serve(client, first);
    }

    /// One request, by the name that was looked up; where there was none, by the address alone.
    Decision judge(EgressProtocol as, String method, String path) {
        if (!host.isEmpty()) {
            return outlet.judge().request(host, port, as, method, path);
        }
        return switch (outlet.judge().connect(wanted, port)) {
            case Admission.Refused(String by, String reason) -> Decision.deny(by, reason);
            case Admission.Admitted admitted when admitted.protocols().contains(as) -> Decision.allow(admitted.rule());
            case Admission.Admitted admitted -> Decision.deny(admitted.rule(), as.label() + " is not allowed there");
        };
    }

    private void raw(EgressProtocol as, ByteBuffer first) throws IOException, InterruptedException {
        var dialed = dial(as);
        var back = Thread.ofVirtual().name("egress-back").start(() -> back(dialed));
        forward(dialed, first);
        back.join();
    }

    private void forward(SocketChannel dialed, ByteBuffer first) throws IOException {
        passed(sent, first.remaining());
        while (first.hasRemaining()) {
            dialed.write(first);
        }
        new Pump(client, dialed, parts.buffers(), bytes -> passed(sent, bytes)).run();
    }

    private void back(SocketChannel dialed) {
        try {
            new Pump(dialed, client, parts.buffers(), bytes -> passed(received, bytes)).run();
        } catch (IOException e) {
            // The other direction has nobody to speak for any more.
            cut(cutReason.isEmpty() ? String.valueOf(e.getMessage()) : cutReason);
        }
    }

    private void passed(AtomicLong direction, int bytes) throws IOException {
        if (!count(direction, bytes)) {
            throw new IOException(cutReason);
        }
    }

    /// False when that many may not pass any more.
    private boolean count(AtomicLong direction, long bytes) {
        if (!outlet.spending().bytes(bytes)) {
            cut("as many bytes have passed as the budget allows");
            return false;
        }
        direction.addAndGet(bytes);
        return true;
    }

    void moved(int out, int in) {
        if (out > 0) {
            count(sent, out);
        }
        if (in > 0) {
            count(received, in);
        }
    }

    /// Resolves and connects, each address judged just before.
    SocketChannel dial(EgressProtocol as) throws IOException, InterruptedException {
        var judge = outlet.judge();
        var allowed = new ArrayList<InetAddress>();
        Admission.Refused refusal = null;
        String by = rule;
        for (InetAddress address : addresses(as)) {
            switch (admission(judge, address)) {
                case Admission.Refused refused -> refusal = refused;
                case Admission.Admitted admitted when admitted.protocols().contains(as) -> {
                    by = admitted.rule();
                    allowed.add(address);
                }
                case Admission.Admitted admitted -> refusal = new Admission.Refused(admitted.rule(), as.label() + " is not allowed there");
            }
        }
        if (allowed.isEmpty()) {
            throw refusal == null ? new RefusedException("resolver", host + " has no address") : new RefusedException(refusal.rule(), refusal.reason());
        }
        var dialed = Dialer.dial(allowed, port);
        upstream = dialed;
        way = new Way(by, ((InetSocketAddress) dialed.getRemoteAddress()).getAddress(), as);
        // A change or an end that came while it was dialed has not seen it.
        judgeAgain();
        if (!cutReason.isEmpty()) {
            close(dialed);
            throw new IOException(cutReason);
        }
        return dialed;
    }

    private Admission admission(Judge judge, InetAddress address) {
        return host.isEmpty() ? judge.connect(address, port) : judge.dial(host, address, port);
    }

    private List<InetAddress> addresses(EgressProtocol as) throws IOException, InterruptedException {
        if (host.isEmpty()) {
            return List.of(wanted);
        }
        return switch (parts.upstream().resolve(host)) {
            case Resolution.NotThere _ -> throw new RefusedException("resolver", "there is no such name");
            case Resolution.Failed(String reason) -> throw new RefusedException("resolver", "the name was not resolved: " + reason);
            case Resolution.Found found -> {
                refuseDeniedAliases(found, as);
                yield found.addresses();
            }
        };
    }

    /// A name that leads to one that is denied is denied.
    private void refuseDeniedAliases(Resolution.Found found, EgressProtocol as) throws IOException {
        for (String alias : found.aliases()) {
            var decision = outlet.judge().seen(alias, found.addresses().getFirst(), port, as == EgressProtocol.HTTP ? EgressProtocol.HTTP : EgressProtocol.TLS);
            if (!decision.allowed()) {
                throw new RefusedException(decision.rule(), host + " leads to " + alias + ": " + decision.reason());
            }
        }
    }

    /// Reads what comes first until it is known what it is.
    ///
    /// @param within zero means for as long as it takes
    /// Returns what was read, nothing when the client said nothing.
    private ByteBuffer firstBytes(Duration within) throws IOException {
        long deadline = System.nanoTime() + within.toNanos();
        InputStream in = client.socket().getInputStream();
        // Most hellos fit; thousands of quiet connections keep theirs.
        var first = ByteBuffer.allocate(FIRST_BYTES);
        try {
            do {
                long left = within.isZero() ? 0 : Math.max(1, (deadline - System.nanoTime()) / 1_000_000);
                client.socket().setSoTimeout((int) left);
                int read = in.read(first.array(), first.position(), first.remaining());
                if (read < 0) {
                    break;
                }
                first.position(first.position() + read);
                if (!first.hasRemaining() && first.capacity() < ClientHello.MAX_BYTES) {
                    first = ByteBuffer.allocate(Math.min(4 * first.capacity(), ClientHello.MAX_BYTES)).put(first.flip());
                }
            } while (first.hasRemaining() && !isKnown(first.duplicate().flip()) && (within.isZero() || System.nanoTime() < deadline));
        } catch (SocketTimeoutException _) {
            // Judged by what there is.
        } finally {
            client.socket().setSoTimeout(0);
        }
        return first.flip();
    }

    private static boolean isKnown(ByteBuffer soFar) {
        return switch (Opening.read(soFar)) {
            case Opening.NeedMore _ -> false;
            case Opening.Neither _ -> true;
            case Opening.Tls _ -> !(ClientHello.read(soFar) instanceof ClientHello.NeedMore);
            case Opening.Http _ -> true;
        };
    }

    /// The rules have changed: what they no longer allow ends.
    void judgeAgain() {
        Way now = way;
        if (now == null) {
            return;
        }
        switch (admission(outlet.judge(), now.address())) {
            case Admission.Refused(String rule, String reason) -> cut("cut by " + rule + ": " + reason);
            case Admission.Admitted admitted -> {
                boolean openedNow = exchange != null;
                if (!admitted.protocols().contains(now.protocol()) || admitted.inspect() != openedNow && now.protocol() == EgressProtocol.TLS) {
                    cut("cut by " + admitted.rule() + ": it no longer allows " + now.protocol().label() + " as it was spoken");
                }
            }
        }
    }

    /// Ends it at once, from any thread.
    void cut(String reason) {
        if (cutReason.isEmpty()) {
            cutReason = reason;
        }
        HttpExchange http = exchange;
        if (http != null) {
            http.cut();
        }
        reset(client);
        close(upstream);
    }

    /// Writes that it was denied, and resets it.
    private void refused(String rule, String reason) {
        reset(client);
        outlet.write(entry(rule, false, reason));
    }

    private void ended(String reason) {
        String why = cutReason.isEmpty() ? reason : cutReason;
        if (!why.isEmpty()) {
            reset(client);
        }
        HttpExchange http = exchange;
        if (http != null && http.wroteFlows()) {
            return;
        }
        Way now = way;
        outlet.write(entry(now == null ? rule : now.rule(), true, why));
    }

    private Flow entry(String by, boolean allowed, String reason) {
        Way now = way;
        String address = now == null ? host.isEmpty() ? wanted.getHostAddress() : "" : now.address().getHostAddress();
        return new Flow(0, began, outlet.now(), host, address, port, protocol, "", by, allowed, reason, sent.get(), received.get(), 1);
    }

    /// As it is now; empty while it is not let out, and where its requests are entries of their own.
    Optional<Flow> flow() {
        HttpExchange http = exchange;
        Way now = way;
        return now == null || http != null && http.wroteFlows() ? Optional.empty() : Optional.of(entry(now.rule(), true, "open"));
    }

    String protocolLabel() {
        return protocol;
    }

    @Nullable Way way() {
        return way;
    }

    private static void reset(SocketChannel channel) {
        try {
            if (channel.isOpen()) {
                channel.setOption(StandardSocketOptions.SO_LINGER, 0);
            }
        } catch (IOException _) {
            // It is closed already.
        }
        close(channel);
    }

    private static void close(@Nullable SocketChannel channel) {
        if (channel == null) {
            return;
        }
        try {
            channel.close();
        } catch (IOException _) {
            // Closed all the same.
        }
    }
}
