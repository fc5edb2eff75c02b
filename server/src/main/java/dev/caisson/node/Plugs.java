package dev.caisson.node;

import dev.caisson.host.GatewayNetwork;
import dev.caisson.host.Home;
import dev.caisson.host.NetworkNamespace;
import dev.caisson.host.NetworkPlug;
import dev.caisson.host.Reclaimer;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Network plugs made ahead, so that a create need not wait for one. Each is used once.
///
/// On a machine that cannot make the gateway's network, plugs lead nowhere: sandboxes without a way out run all the same, others are refused.
/// Threads: safe for many. Cleanup: close removes what was not taken.
final class Plugs implements AutoCloseable {
    /// Kept ready. One costs the kernel about 0.3 MiB.
    static final int READY = 8;
    private static final Duration RETRY = Duration.ofSeconds(1);

    private final Home home;
    private final Reclaimer reclaimer;
    private final @Nullable GatewayNetwork gateway;
    private final String unfit;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<Path> ready = new ArrayDeque<>();
    private final Thread maker = Thread.ofPlatform().name("plugs").daemon().unstarted(this::keepReady);
    private int next;
    private boolean closed;

    private Plugs(Home home, Reclaimer reclaimer, @Nullable GatewayNetwork gateway, String unfit, int next) {
        this.home = home;
        this.reclaimer = reclaimer;
        this.gateway = gateway;
        this.unfit = unfit;
        this.next = next;
    }

    /// Opens the gateway's network, and removes the plugs that no sandbox has.
    ///
    /// @param held where those of living sandboxes are
    /// @param first any number; plugs are numbered from there
    static Plugs open(Home home, Reclaimer reclaimer, Set<Path> held, int first) throws IOException, InterruptedException {
        Files.createDirectories(home.plugs());
        GatewayNetwork gateway = null;
        String unfit = "";
        try {
            gateway = GatewayNetwork.open(home);
            Files.deleteIfExists(home.gatewayUnfit());
        } catch (IOException e) {
            unfit = String.valueOf(e.getMessage());
            log("sandboxes have no way out: " + unfit);
            Files.writeString(home.gatewayUnfit(), unfit);
        }
        var plugs = new Plugs(home, reclaimer, gateway, unfit, Math.floorMod(first, NetworkPlug.MAX));
        plugs.removeAllBut(held);
        plugs.maker.start();
        return plugs;
    }

    private void removeAllBut(Set<Path> held) throws IOException, InterruptedException {
        var strays = new HashSet<Path>();
        try (var all = Files.newDirectoryStream(home.plugs())) {
            all.forEach(strays::add);
        }
        strays.removeAll(held);
        for (Path stray : strays) {
            discard(stray);
        }
    }

    /// Never interrupted: what is being made when it closes is ready, and removed, a moment later.
    private void keepReady() {
        boolean complained = false;
        try {
            while (awaitWant(complained ? RETRY : Duration.ZERO)) {
                try {
                    add(make());
                    complained = false;
                } catch (IOException e) {
                    if (!complained) {
                        log("no plug can be made ahead: " + e.getMessage());
                    }
                    complained = true;
                }
            }
        } catch (InterruptedException _) {
            log("no more plugs are made ahead");
        }
    }

    /// Waits for that long, and until one more is wanted; false when it closes.
    private boolean awaitWant(Duration pause) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = pause.toNanos();
            while (!closed && (left > 0 || ready.size() >= READY)) {
                if (left > 0) {
                    left = changed.awaitNanos(left);
                } else {
                    changed.await();
                }
            }
            return !closed;
        } finally {
            lock.unlock();
        }
    }

    private void add(Path made) {
        lock.lock();
        try {
            ready.add(made);
        } finally {
            lock.unlock();
        }
    }

    /// A plug of one's own: where its namespace is bound.
    Path take() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            Path one = ready.poll();
            if (one != null) {
                changed.signalAll();
                return one;
            }
        } finally {
            lock.unlock();
        }
        try {
            return make();
        } catch (IOException e) {
            throw Failure.Code.RUNTIME_FAILED.with("no network namespace could be made: " + e.getMessage(), "`caisson doctor` says what this machine can run", e);
        }
    }

    private Path make() throws IOException, InterruptedException {
        for (int tries = 0; tries < NetworkPlug.MAX; tries++) {
            int index = number();
            Path at = home.plugs().resolve(Integer.toString(index));
            try {
                if (gateway != null) {
                    return gateway.plug(index).namespace();
                }
                new NetworkNamespace(at).create();
                return at;
            } catch (FileAlreadyExistsException _) {
                // A living sandbox's.
            } catch (IOException e) {
                discard(at);
                if (!GatewayNetwork.isTaken(e)) {
                    throw e;
                }
                // The link of one that has just ended is still there.
            }
        }
        throw new IOException("all " + NetworkPlug.MAX + " plugs are taken");
    }

    private int number() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            int number = next;
            next = (next + 1) % NetworkPlug.MAX;
            return number;
        } finally {
            lock.unlock();
        }
    }

    /// Ends one that nobody has come to use.
    void discard(Path plug) throws InterruptedException {
        var check = reclaimer.release(new Resource(ResourceKind.NETWORK_NAMESPACE, plug.toString()));
        if (!check.gone()) {
            log("plug " + plug + " is still there: " + check.detail());
        }
    }

    /// Refuses a sandbox that is to reach something, where nothing can be reached.
    void requireWayOut() {
        if (gateway == null) {
            throw Failure.Code.EGRESS_UNAVAILABLE.with("sandboxes of this machine have no way out: " + unfit, "`caisson doctor` says what is missing; without egress the sandbox can be made");
        }
    }

    /// Says whether the sandbox at that plug may reach addresses without a name.
    void reachesAddresses(Path plug, boolean may) throws IOException {
        if (gateway != null) {
            gateway.reachesAddresses(of(plug).orElseThrow(() -> new IOException("no plug of this installation: " + plug)), may);
        }
    }

    /// Empty where plugs lead nowhere.
    Optional<NetworkPlug> of(Path plug) {
        OptionalInt index = NetworkPlug.indexOf(plug);
        return gateway == null || index.isEmpty() ? Optional.empty() : Optional.of(new NetworkPlug(index.getAsInt(), plug));
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        try {
            maker.join();
            for (Path unused : ready) {
                discard(unused);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        if (gateway != null) {
            gateway.close();
        }
        try {
            GatewayNetwork.removeUnused(home);
        } catch (IOException e) {
            log("the gateway's network is still there: " + e.getMessage());
        }
    }

    private static void log(String message) {
        System.getLogger(Plugs.class.getName()).log(System.Logger.Level.WARNING, message);
    }
}
