package dev.caisson.runtime.microvm;

import dev.caisson.guest.Agent;
import dev.caisson.guest.Errand;
import dev.caisson.guest.SeedFile;
import dev.caisson.runtime.WarmUp;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.SandboxException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The agent of a machine that will be frozen: it is told to wait for ever, and to start what its copies are to find running.
///
/// Cleanup: close hangs up and stops listening; the agent looks for a host from then on, and its copies find theirs.
final class TemplateGuest implements AutoCloseable {
    /// From the VMM's start to the agent's hello. Emulated, on a machine with other work.
    static final Duration HELLO = Duration.ofSeconds(60);
    private static final Duration POLL = Duration.ofMillis(50);
    private static final int LOOKS = 10;
    private static final Duration NEVER = Duration.ZERO;
    private static final int OPEN_FILES = 4_096;
    /// The commands of a sandbox have numbers from 1 on, this one among them.
    private static final CommandId START = CommandId.of(1);
    /// Programs that most sandboxes start first: what the guest's kernel has read and unpacked of them, its copies have too. Then what the disk has not been told yet.
    private static final Errand FAMILIAR = new Errand("for shell in sh bash; do $shell -c :; done; python3 -c pass; git --version; sync", "root", Duration.ofMinutes(2));

    private final ServerSocketChannel door;
    private @Nullable Agent agent;

    private TemplateGuest(ServerSocketChannel door) {
        this.door = door;
    }

    /// Fails when the machine has ended: it is of no use to wait then.
    @FunctionalInterface
    interface Hope {
        void check() throws IOException;
    }

    static TemplateGuest listen(Path socket) throws IOException {
        Files.createDirectories(socket.getParent());
        var door = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            door.bind(UnixDomainSocketAddress.of(socket), 1);
        } catch (IOException e) {
            door.close();
            throw e;
        }
        return new TemplateGuest(door);
    }

    /// Errors: an [IOException] that says what did not happen.
    ///
    /// @param hello how long the machine may take to come up
    void warmUp(Optional<WarmUp> warmUp, List<SeedFile> files, Duration hello, Hope machine) throws IOException, InterruptedException {
        try {
            agent = greeted(System.nanoTime() + hello.toNanos(), machine);
        } catch (IOException e) {
            awaitEnd(machine);
            throw new IOException("the agent of a template did not say hello within " + hello.toMillis() / 1000.0 + " s: " + e.getMessage(), e);
        }
        try {
            if (warmUp.isPresent()) {
                begin(agent, warmUp.get());
            }
            plant(agent, files);
            FAMILIAR.run(agent, CommandId.of(2));
        } catch (SandboxException | IOException e) {
            awaitEnd(machine);
            throw new IOException("a template's warm-up failed: " + e.getMessage(), e);
        }
    }

    /// Some VMMs dial when they start, others when the guest does.
    private Agent greeted(long until, Hope machine) throws IOException, InterruptedException {
        door.configureBlocking(false);
        try (var selector = Selector.open()) {
            door.register(selector, SelectionKey.OP_ACCEPT);
            while (selector.select(POLL.toMillis()) == 0) {
                machine.check();
                if (Thread.interrupted()) {
                    throw new InterruptedException("while a template booted");
                }
                if (System.nanoTime() > until) {
                    throw new IOException("nobody has dialed");
                }
            }
        }
        return Agent.greet(door.accept(), "template", NEVER, Duration.ofNanos(Math.max(until - System.nanoTime(), 0)));
    }

    /// One that dies hangs up before it is gone.
    private static void awaitEnd(Hope machine) throws IOException, InterruptedException {
        for (int look = 0; look < LOOKS; look++) {
            machine.check();
            Thread.sleep(POLL);
        }
    }

    private static void begin(Agent agent, WarmUp warmUp) throws IOException, InterruptedException {
        // Its output goes nowhere; it ends with the sandbox.
        var spec = new CommandSpec(
                List.of("/bin/sh", "-c", warmUp.command()), Map.of(), "/", warmUp.user(), Optional.empty(), CommandSpec.MAX_TIMEOUT, CommandSpec.DEFAULT_OUTPUT_LIMIT, false, WarmUp.TAG, CommandSpec.Unread.DROP, false);
        agent.start(START, spec, OPEN_FILES, 0).close();
        long until = System.nanoTime() + warmUp.patience().toNanos();
        while (!agent.listens(warmUp.port())) {
            if (agent.commands().stream().anyMatch(held -> held.exit().isPresent())) {
                throw new IOException("its start command ended before it was ready: " + warmUp.command());
            }
            if (System.nanoTime() > until) {
                throw new IOException("nothing listened on port " + warmUp.port() + " within " + warmUp.patience().toSeconds() + " s");
            }
            Thread.sleep(POLL);
        }
    }

    private static void plant(Agent agent, List<SeedFile> files) {
        var guest = agent.files(dev.caisson.sandbox.Files.Rights.ROOT);
        for (SeedFile file : files) {
            if (file.kind() == SeedFile.Kind.REPLACE) {
                guest.write(file.path(), "root", file.mode(), new ByteArrayInputStream(file.content()));
            }
        }
    }

    @Override
    public void close() throws IOException {
        // First nobody is let in any more.
        door.close();
        if (agent != null) {
            agent.close();
        }
    }
}
