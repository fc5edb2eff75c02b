package dev.caisson.runtime;

import dev.caisson.host.NetworkNamespace;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/// A booted sandbox whose agent obeys one shell line at a time.
public final class Booted implements AutoCloseable {
    public final Boot boot;
    /// From the call of boot to its return, and to the agent's hello.
    final long bootNanos;
    final long nanos;
    private final ServerSocketChannel listener;
    private final Voice agent;

    private Booted(Boot boot, long bootNanos, long nanos, ServerSocketChannel listener, Voice agent) {
        this.boot = boot;
        this.bootNanos = bootNanos;
        this.nanos = nanos;
        this.listener = listener;
        this.agent = agent;
    }

    public static Booted boot(Driver driver, Boot boot, Voice.Greeting greeting) throws IOException, InterruptedException {
        Files.createDirectory(boot.directory(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        Files.createDirectory(boot.agentSocket().getParent());
        var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(boot.agentSocket()));
        new NetworkNamespace(boot.network()).create();
        long start = System.nanoTime();
        driver.boot(boot);
        long bootNanos = System.nanoTime() - start;
        listener.configureBlocking(false);
        ScriptVoice.await(listener, SelectionKey.OP_ACCEPT);
        Voice agent = greeting.greet(listener.accept());
        return new Booted(boot, bootNanos, System.nanoTime() - start, listener, agent);
    }

    /// Runs a line as root of the sandbox.
    public Voice.Answer run(String line) throws IOException, InterruptedException {
        return agent.run(line, "root");
    }

    public Voice.Answer runAsUser(String line) throws IOException, InterruptedException {
        return agent.run(line, "user");
    }

    /// Sends a line and does not wait.
    public void send(String line) throws IOException, InterruptedException {
        agent.send(line);
    }

    /// True when the agent hung up within the bound.
    public boolean awaitEnd() throws IOException, InterruptedException {
        return agent.awaitEnd();
    }

    /// Whoever dials next.
    public SocketChannel awaitVisitor() throws IOException {
        ScriptVoice.await(listener, SelectionKey.OP_ACCEPT);
        return listener.accept();
    }

    static void closeAll(List<Booted> all) throws IOException {
        for (Booted one : all) {
            one.close();
        }
    }

    @Override
    public void close() throws IOException {
        agent.close();
        listener.close();
    }
}
