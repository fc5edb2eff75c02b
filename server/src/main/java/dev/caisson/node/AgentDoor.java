package dev.caisson.node;

import dev.caisson.guest.Agent;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The socket of one sandbox at which its agent knocks, and the agent that has been let in.
///
/// Which socket it came from is the agent's whole identity. While one is in, others are turned away; when it is gone the next may enter.
/// Threads: safe for many. Cleanup: close turns the agent out and removes the socket.
final class AgentDoor implements AutoCloseable {
    /// How long an agent lives without us: long enough for a restart by hand, while the deadman watches the lease.
    static final Duration GRACE = Duration.ofMinutes(10);

    private static final Duration GREETING_PATIENCE = Duration.ofSeconds(5);

    private final Path socket;
    private final String name;
    private final ServerSocketChannel server;
    private volatile Runnable onLost = () -> {};
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private @Nullable Agent agent;
    private boolean closed;

    private AgentDoor(Path socket, String name, ServerSocketChannel server) {
        this.socket = socket;
        this.name = name;
        this.server = server;
    }

    /// Listens; a socket left by an earlier process is replaced.
    static AgentDoor open(Path socket, String name) throws IOException {
        Files.createDirectories(socket.getParent());
        // Whoever is root inside keeps the right to dial.
        Object owner = Files.exists(socket) ? Files.getAttribute(socket, "unix:uid") : Integer.valueOf(0);
        Files.deleteIfExists(socket);
        var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(socket), 4);
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
            Files.setAttribute(socket, "unix:uid", owner);
        } catch (IOException e) {
            server.close();
            throw e;
        }
        var door = new AgentDoor(socket, name, server);
        Thread.ofVirtual().name("door-" + name).start(door::admitAll);
        return door;
    }

    /// Tells whoever keeps the sandbox from now on, and nobody else any more, when an agent that was in is gone.
    void onLost(Runnable keeper) {
        onLost = keeper;
    }

    /// The agent that is in now. One whose link has just broken is not, even before its watch has noticed.
    Optional<Agent> agent() {
        lock.lock();
        try {
            return Optional.ofNullable(agent).filter(one -> one.link().over().isEmpty());
        } finally {
            lock.unlock();
        }
    }

    /// The agent, waiting for it at most so long.
    Optional<Agent> await(Duration atMost) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = atMost.toNanos();
            while (agent().isEmpty() && !closed && left > 0) {
                left = changed.awaitNanos(left);
            }
            return agent();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        Agent last;
        lock.lock();
        try {
            closed = true;
            last = agent;
            agent = null;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        if (last != null) {
            last.close();
        }
        try {
            server.close();
            Files.deleteIfExists(socket);
        } catch (IOException _) {
            // The sandbox's directory goes next, with the socket in it.
        }
    }

    private void admitAll() {
        while (true) {
            try {
                SocketChannel visitor = server.accept();
                if (agent().isPresent()) {
                    visitor.close();
                } else {
                    admit(visitor);
                }
            } catch (IOException _) {
                if (!server.isOpen()) {
                    return;
                }
            } catch (InterruptedException _) {
                return;
            }
        }
    }

    private void admit(SocketChannel visitor) throws InterruptedException {
        try {
            Agent greeted = Agent.greet(visitor, name, GRACE, GREETING_PATIENCE);
            lock.lock();
            try {
                agent = greeted;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            Thread.ofVirtual().name("door-" + name + "-watch").start(() -> watch(greeted));
        } catch (IOException _) {
            // It hung up at once, or does not speak the protocol: as if it had not knocked.
        }
    }

    private void watch(Agent greeted) {
        try {
            greeted.link().awaitEnd();
        } catch (InterruptedException _) {
            return;
        }
        lock.lock();
        try {
            if (agent == greeted) {
                agent = null;
            }
        } finally {
            lock.unlock();
        }
        onLost.run();
    }
}
