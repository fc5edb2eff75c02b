package dev.caisson.egress;

import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.Flow;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// The requests of one connection, each judged and written into the flow log by itself.
///
/// Threads: see [RelayOwner]; [#cut] from anywhere.
final class HttpExchange implements RelayOwner {
    private final Outlet outlet;
    private final Connection connection;
    private final Destination to;
    private final GatewayParts parts;
    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong received = new AtomicLong();
    private volatile @Nullable HttpRelay relay;
    private volatile boolean cut;
    private volatile boolean wroteFlows;
    private @Nullable Pending pending;
    /// How a client goes that has its answer is no reason for anything.
    private volatile boolean answered;

    /// A request that was let through and is not over.
    private record Pending(Instant began, String request, String rule, long sentBefore, long receivedBefore) {}

    HttpExchange(Outlet outlet, Connection connection, Destination to, GatewayParts parts) {
        this.outlet = outlet;
        this.connection = connection;
        this.to = to;
        this.parts = parts;
    }

    /// @param first what has been read of the connection already
    void serve(SocketChannel client, ByteBuffer first) throws IOException {
        byte[] consumed = new byte[first.remaining()];
        first.get(consumed);
        var made = new HttpRelay(to.tls() ? open(client.socket(), consumed) : Wire.after(consumed, Wire.of(client.socket())), to, this, outlet.secrets(), parts.deadlines());
        relay = made;
        if (cut) {
            made.cut("cut");
        }
        String why = made.run();
        finish(why);
    }

    private Wire open(Socket client, byte[] consumed) throws IOException {
        try {
            return parts.openedTls().accept(client, consumed, outlet.authority(), to.host());
        } catch (IOException e) {
            throw new IOException("the sandbox's side of TLS: " + e.getMessage(), e);
        }
    }

    void cut() {
        cut = true;
        var running = relay;
        if (running != null) {
            running.cut("cut");
        }
    }

    /// True when the log has entries for its requests, so that the connection needs none.
    boolean wroteFlows() {
        return wroteFlows;
    }

    @Override
    public boolean looksAtPaths() {
        return outlet.judge().egress().layers().stream().flatMap(layer -> layer.rules().stream()).filter(rule -> rule.target() instanceof EgressTarget.Host(var pattern) && pattern.fits(to.host()))
                .flatMap(rule -> rule.http().stream()).anyMatch(http -> !http.paths().isEmpty());
    }

    @Override
    public synchronized Answer request(String method, String path) {
        finish("");
        String request = method + " " + path;
        if (!outlet.spend()) {
            return denied(request, "budget", "more requests a second than the budget allows");
        }
        var decision = connection.judge(protocol(), method, path);
        if (!decision.allowed()) {
            return denied(request, decision.rule(), decision.reason());
        }
        answered = false;
        pending = new Pending(outlet.now(), request, decision.rule(), sent.get(), received.get());
        wroteFlows = true;
        return new Allowed(decision.rule());
    }

    private Denied denied(String request, String rule, String reason) {
        write(outlet.now(), request, rule, false, reason, 0, 0);
        return new Denied(rule, reason);
    }

    private EgressProtocol protocol() {
        return to.tls() ? EgressProtocol.TLS : EgressProtocol.HTTP;
    }

    @Override
    public Wire dial() throws IOException {
        try {
            Socket socket = connection.dial(protocol()).socket();
            return to.tls() ? parts.openedTls().connect(socket, to.host(), to.port()) : Wire.of(socket);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("the gateway ends", e);
        }
    }

    @Override
    public void moved(int out, int in) {
        sent.addAndGet(out);
        received.addAndGet(in);
        connection.moved(out, in);
    }

    @Override
    public void answered(String method, String path, int status) {
        answered = true;
    }

    @Override
    public synchronized void refused(int status, String reason) {
        finish(reason);
        write(outlet.now(), "", "gateway", false, reason, 0, 0);
    }

    @Override
    public void placeholderSeen(String secret, String where) {
        write(outlet.now(), "", "secret:" + secret, false, "its placeholder was in the " + where + " of a request where it is not replaced", 0, 0);
    }

    private synchronized void finish(String reason) {
        Pending over = pending;
        if (over != null) {
            pending = null;
            write(over.began(), over.request(), over.rule(), true, answered && !cut ? "" : reason, sent.get() - over.sentBefore(), received.get() - over.receivedBefore());
        }
    }

    private void write(Instant began, String request, String rule, boolean allowed, String reason, long out, long in) {
        wroteFlows = true;
        var way = connection.way();
        String address = way == null ? "" : way.address().getHostAddress();
        outlet.write(new Flow(0, began, outlet.now(), to.host(), address, to.port(), connection.protocolLabel(), request, rule, allowed, reason, out, in, 1));
    }
}
