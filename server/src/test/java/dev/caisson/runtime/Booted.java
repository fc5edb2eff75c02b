package dev.caisson.runtime;

import dev.caisson.host.NetworkNamespace;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;

/// A booted sandbox whose test agent obeys one shell line at a time.
final class Booted implements AutoCloseable {
    private static final Duration BOUND = Duration.ofSeconds(30);

    final Boot boot;
    /// From the call of boot to its return, and to the agent's hello.
    final long bootNanos;
    final long nanos;
    private final ServerSocketChannel listener;
    private final SocketChannel agent;

    /// What a line printed, and its exit status.
    record Answer(String text, int status) {}

    private Booted(Boot boot, long bootNanos, long nanos, ServerSocketChannel listener, SocketChannel agent) {
        this.boot = boot;
        this.bootNanos = bootNanos;
        this.nanos = nanos;
        this.listener = listener;
        this.agent = agent;
    }

    static Booted boot(Driver driver, Boot boot) throws IOException, InterruptedException {
        Files.createDirectory(boot.directory(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        Files.createDirectory(boot.agentSocket().getParent());
        var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(boot.agentSocket()));
        new NetworkNamespace(boot.network()).create();
        long start = System.nanoTime();
        driver.boot(boot);
        long bootNanos = System.nanoTime() - start;
        listener.configureBlocking(false);
        await(listener, SelectionKey.OP_ACCEPT);
        var agent = listener.accept();
        agent.configureBlocking(false);
        var booted = new Booted(boot, bootNanos, System.nanoTime() - start, listener, agent);
        booted.readUntil("hello\n");
        return booted;
    }

    /// Runs a line as root of the sandbox.
    Answer run(String line) throws IOException {
        agent.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
        var text = readUntil("=[0-9]+\n");
        int at = text.lastIndexOf('=');
        return new Answer(text.substring(0, at), Integer.parseInt(text.substring(at + 1).strip()));
    }

    Answer runAsUser(String line) throws IOException {
        return run("user " + line);
    }

    /// Sends a line and does not wait.
    void send(String line) throws IOException {
        agent.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
    }

    /// True when the agent hung up within the bound.
    boolean awaitEnd() throws IOException {
        try {
            readUntil("(?!)");
            return false;
        } catch (IOException e) {
            return "the agent hung up".equals(e.getMessage());
        }
    }

    private String readUntil(String ending) throws IOException {
        var text = new StringBuilder();
        var buffer = ByteBuffer.allocate(65_536);
        var pattern = java.util.regex.Pattern.compile("(?s).*" + ending);
        while (!pattern.matcher(text).matches()) {
            await(agent, SelectionKey.OP_READ);
            int count;
            try {
                count = agent.read(buffer.clear());
            } catch (IOException e) {
                count = -1;
            }
            if (count < 0) {
                throw new IOException("the agent hung up");
            }
            text.append(new String(buffer.array(), 0, count, StandardCharsets.UTF_8));
        }
        return text.toString();
    }

    private static void await(java.nio.channels.SelectableChannel channel, int operation) throws IOException {
        try (var selector = Selector.open()) {
            channel.register(selector, operation);
            if (selector.select(BOUND.toMillis()) == 0) {
                throw new IOException("nothing for " + BOUND.toSeconds() + " s");
            }
        }
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
