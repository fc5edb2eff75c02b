package dev.caisson.egress;

import dev.caisson.host.GatewaySockets;
import dev.caisson.host.RefusedPackets;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;

/// The gateway: takes what sandboxes send, finds out whose it is by where it came from, and lets that sandbox's [Outlet] decide.
///
/// What comes from nobody it knows is refused. Threads: safe for many; one accepts, one reads refusals, each connection has two of its own.
/// Cleanup: close cuts everything.
public final class Gateway implements AutoCloseable {
    /// Of all sandboxes together.
    static final int MAX_CONNECTIONS = 16_384;
    private static final int MAX_BUSY = 64;
    private static final int PRUNED_AFTER = 100;
    private static final int TCP = 6;
    private static final Duration ACCEPT_PAUSE = Duration.ofMillis(10);
    private static final Map<Integer, String> PROTOCOLS = Map.of(TCP, "tcp", 17, "udp", 1, "icmp", 58, "icmp", 132, "sctp");
    private static final System.Logger LOG = System.getLogger(Gateway.class.getName());

    private final GatewaySockets sockets;
    private final GatewaySettings settings;
    private final GatewayParts parts;
    private final NameServer nameServer;
    private final Deadlines deadlines = new Deadlines(RelayTimes.DEFAULT);
    private final Map<InetAddress, Outlet> byAddress = new ConcurrentHashMap<>();
    private final Map<SandboxId, Outlet> byId = new ConcurrentHashMap<>();
    private final Semaphore connections = new Semaphore(MAX_CONNECTIONS);
    private long forgotten;
    private final List<Thread> threads = new ArrayList<>();

    private Gateway(GatewaySockets sockets, GatewaySettings settings) throws GeneralSecurityException, IOException {
        this.sockets = sockets;
        this.settings = settings;
        var upstream = new Upstream(settings.resolvers(), settings.random());
        this.parts = new GatewayParts(upstream, new PumpBuffers(MAX_BUSY), new OpenedTls(settings.roots(), deadlines), deadlines);
        this.nameServer = new NameServer(new NameService(upstream));
    }

    /// Serves from now on. Nothing leaves until sandboxes are registered.
    public static Gateway start(GatewaySockets sockets, GatewaySettings settings) throws IOException {
        for (Path directory : List.of(settings.flows(), settings.names())) {
            Files.createDirectories(directory);
            // What a sandbox reaches is its owner's matter.
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
        }
        var gateway = make(sockets, settings);
        gateway.threads.add(Thread.ofVirtual().name("accept").start(gateway::acceptAll));
        for (DatagramChannel channel : sockets.queries()) {
            gateway.threads.add(Thread.ofVirtual().name("names").start(() -> gateway.answerAll(channel)));
        }
        gateway.threads.add(Thread.ofPlatform().name("refused").daemon().start(gateway::readRefusals));
        return gateway;
    }

    private static Gateway make(GatewaySockets sockets, GatewaySettings settings) throws IOException {
        try {
            return new Gateway(sockets, settings);
        } catch (GeneralSecurityException e) {
            throw new IOException("TLS cannot be opened: " + e.getMessage(), e);
        }
    }

    private void acceptAll() {
        boolean complained = false;
        while (sockets.connections().isOpen()) {
            try {
                accepted(sockets.connections().accept());
                complained = false;
            } catch (IOException e) {
                if (sockets.connections().isOpen() && !complained) {
                    LOG.log(System.Logger.Level.WARNING, "a connection could not be accepted: " + e.getMessage());
                }
                complained = true;
                // Of descriptors there may be too few for a while; nobody gains from asking again at once.
                LockSupport.parkNanos(ACCEPT_PAUSE.toNanos());
            }
        }
    }

    private void accepted(SocketChannel client) throws IOException {
        var source = (InetSocketAddress) client.getRemoteAddress();
        var local = (InetSocketAddress) client.getLocalAddress();
        Outlet outlet = byAddress.get(source.getAddress());
        if (outlet == null || !connections.tryAcquire()) {
            try (client) {
                client.setOption(StandardSocketOptions.SO_LINGER, 0);
            }
            return;
        }
        Thread.ofVirtual().name("egress").start(() -> {
            try {
                if (GatewaySockets.isResolver(local)) {
                    answerOver(client, outlet);
                } else {
                    new Connection(outlet, client, parts).run();
                }
            } catch (IOException _) {
                // It was gone before it was looked at.
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            } finally {
                connections.release();
            }
        });
    }

    private void answerOver(SocketChannel client, Outlet outlet) throws IOException, InterruptedException {
        if (!outlet.spending().open()) {
            client.close();
            return;
        }
        try {
            nameServer.serveTcp(client, outlet);
        } finally {
            outlet.spending().closed();
        }
    }

    private void answerAll(DatagramChannel channel) {
        try {
            nameServer.serveUdp(channel, source -> Optional.ofNullable(byAddress.get(source.getAddress())));
        } catch (IOException e) {
            LOG.log(System.Logger.Level.ERROR, "names are no longer answered: " + e.getMessage());
        }
    }

    private void readRefusals() {
        try {
            sockets.refused().read(refused -> {
                // By the link: a source address is what the sender says.
                Outlet outlet = byAddress.get(refused.sandbox());
                if (outlet != null) {
                    refused(outlet, refused.packet());
                }
            });
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "refused packets are counted, but no longer logged: " + e.getMessage());
        }
    }

    private static void refused(Outlet outlet, RefusedPackets.Packet packet) {
        String protocol = PROTOCOLS.getOrDefault(packet.protocol(), Integer.toString(packet.protocol()));
        String rule = "gateway";
        String reason = "only TCP is let out, and names";
        var own = outlet.registration();
        if (!packet.source().equals(own.address()) && !packet.source().equals(own.address6())) {
            reason = "the source address " + packet.source().getHostAddress() + " is not the sandbox's own";
        } else if (packet.protocol() == TCP) {
            if (outlet.judge().connect(packet.destination(), packet.port()) instanceof Admission.Refused(String by, String why)) {
                rule = by;
                reason = why;
            } else {
                reason = "too many connections at once";
            }
        }
        outlet.denied("", packet.destination().getHostAddress(), packet.port(), protocol, rule, reason);
    }

    /// Takes a sandbox in, or its new rules; in force when this returns.
    ///
    /// Errors: a [dev.caisson.sandbox.SandboxException] when a secret cannot be opened; nothing has changed then.
    void register(Registration registration) throws IOException {
        synchronized (byId) {
            Outlet known = byId.get(registration.sandbox());
            if (known != null && known.registration().address().equals(registration.address())) {
                known.change(registration);
            } else {
                if (known != null) {
                    forget(registration.sandbox());
                }
                known = outlet(registration);
                byId.put(registration.sandbox(), known);
                byAddress.put(registration.address(), known);
                byAddress.put(registration.address6(), known);
            }
        }
    }

    /// What a sandbox needs to trust its authority, where TLS of it is opened: some 400 KB.
    Optional<TrustSeeds> trust(SandboxId sandbox) {
        return Optional.ofNullable(byId.get(sandbox)).filter(Outlet::opensTls).map(outlet -> TrustSeeds.of(outlet.authority().certificatePem(), settings.roots()));
    }

    private Outlet outlet(Registration registration) throws IOException {
        String id = registration.sandbox().value();
        var names = SyntheticAddresses.open(settings.names().resolve(id), settings.random().nextInt());
        var log = FlowLog.open(settings.flows(), id, settings.clock());
        var spending = new Spending(registration.egress().budget(), log.bytes(), System.nanoTime());
        return new Outlet(registration, names, log, spending, settings);
    }

    void forget(SandboxId sandbox) throws IOException {
        synchronized (byId) {
            Outlet outlet = byId.remove(sandbox);
            if (outlet != null) {
                byAddress.remove(outlet.registration().address(), outlet);
                byAddress.remove(outlet.registration().address6(), outlet);
                outlet.close();
            }
            Files.deleteIfExists(settings.names().resolve(sandbox.value()));
            if (++forgotten % PRUNED_AFTER == 1) {
                FlowLogs.prune(settings.flows(), byId.keySet().stream().map(SandboxId::value).collect(Collectors.toSet()));
            }
        }
    }

    void keepOnly(Set<SandboxId> living) throws IOException {
        for (SandboxId known : List.copyOf(byId.keySet())) {
            if (!living.contains(known)) {
                forget(known);
            }
        }
        // Of those that ended while no gateway was there.
        var names = living.stream().map(SandboxId::value).collect(Collectors.toSet());
        try (var files = Files.newDirectoryStream(settings.names())) {
            for (Path file : files) {
                if (!names.contains(file.getFileName().toString())) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    List<Flow> flows(SandboxId sandbox, long after, int limit) throws IOException {
        Outlet outlet = byId.get(sandbox);
        return outlet == null ? FlowLog.after(settings.flows(), sandbox.value(), after, limit) : outlet.flows(after, limit);
    }

    @Override
    public void close() throws IOException {
        sockets.close();
        deadlines.close();
        threads.forEach(Thread::interrupt);
        synchronized (byId) {
            for (Outlet outlet : byId.values()) {
                outlet.close();
            }
        }
    }
}
