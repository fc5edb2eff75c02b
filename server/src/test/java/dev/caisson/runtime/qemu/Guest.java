package dev.caisson.runtime.qemu;

import dev.caisson.runtime.microvm.Vm;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// The guest of a machine, from where it dials: it obeys the lines of `init.c`.
final class Guest implements AutoCloseable {
    private static final Duration BOUND = Duration.ofSeconds(30);

    private final Vm vm;
    private final ServerSocketChannel listener;
    private @Nullable SocketChannel channel;
    private final ByteBuffer read = ByteBuffer.allocate(4096);
    private String text = "";

    private Guest(Vm vm, ServerSocketChannel listener) {
        this.vm = vm;
        this.listener = listener;
    }

    static Guest of(Vm vm) throws IOException {
        var door = vm.agentSocket().getParent();
        Files.createDirectories(door);
        var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(vm.agentSocket()));
        Files.setAttribute(vm.agentSocket(), "unix:uid", vm.user());
        listener.configureBlocking(false);
        return new Guest(vm, listener);
    }

    Vm vm() {
        return vm;
    }

    void awaitHello(Duration bound) throws IOException {
        long until = System.nanoTime() + bound.toNanos();
        await(listener, SelectionKey.OP_ACCEPT, until);
        var accepted = listener.accept();
        accepted.configureBlocking(false);
        channel = accepted;
        String line = line(until);
        if (!line.equals("hello")) {
            throw new IOException("not hello but " + line);
        }
    }

    String ask(String question) throws IOException {
        say(question);
        return line();
    }

    void say(String question) throws IOException {
        channel().write(ByteBuffer.wrap((question + "\n").getBytes(StandardCharsets.UTF_8)));
    }

    String line() throws IOException {
        return line(System.nanoTime() + BOUND.toNanos());
    }

    boolean isSilentFor(Duration time) throws InterruptedException, IOException {
        Thread.sleep(time);
        return channel().read(read.clear()) == 0;
    }

    /// Like a node that goes: nobody listens any more.
    void hangUp() throws IOException {
        channel().close();
        listener.close();
        Files.delete(vm.agentSocket());
    }

    private SocketChannel channel() throws IOException {
        if (channel == null) {
            throw new IOException("nobody has dialed");
        }
        return channel;
    }

    private String line(long until) throws IOException {
        while (text.indexOf('\n') < 0) {
            int count = channel().read(read.clear());
            if (count < 0) {
                throw new IOException("the guest hung up");
            }
            if (count == 0) {
                await(channel(), SelectionKey.OP_READ, until);
            }
            text += new String(read.array(), 0, count, StandardCharsets.UTF_8);
        }
        int end = text.indexOf('\n');
        String line = text.substring(0, end);
        text = text.substring(end + 1);
        return line;
    }

    private static void await(SelectableChannel channel, int operation, long until) throws IOException {
        try (var selector = Selector.open()) {
            channel.register(selector, operation);
            long left = (until - System.nanoTime()) / 1_000_000;
            if (left <= 0 || selector.select(left) == 0) {
                throw new IOException("the guest said nothing in time");
            }
        }
    }

    @Override
    public void close() throws IOException {
        if (channel != null) {
            channel.close();
        }
        listener.close();
    }
}
