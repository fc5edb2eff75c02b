package dev.caisson.runtime.qemu;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/// Where a machine that freezes sends its state to: a socket of ours in a directory of ours, which that machine's user alone may dial.
///
/// Cleanup: [#close] stops listening and removes the socket.
final class StateSocket implements AutoCloseable {
    /// A machine's state without its memory is some 70 KB.
    static final int MAX_BYTES = 64 * 1024 * 1024;

    private final Path path;
    private final ServerSocketChannel listener;

    private StateSocket(Path path, ServerSocketChannel listener) {
        this.path = path;
        this.listener = listener;
    }

    static StateSocket listen(Path path, int user) throws IOException {
        Files.deleteIfExists(path);
        var socket = new StateSocket(path, ServerSocketChannel.open(StandardProtocolFamily.UNIX));
        try {
            socket.listener.bind(UnixDomainSocketAddress.of(path));
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
            Files.setAttribute(path, "unix:uid", user);
            return socket;
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    /// All that the first who dials says till he hangs up.
    byte[] receive(Deadline deadline) throws IOException {
        listener.configureBlocking(false);
        try (var selector = Selector.open()) {
            listener.register(selector, SelectionKey.OP_ACCEPT);
            SocketChannel channel = listener.accept();
            while (channel == null) {
                waitFor(selector, deadline);
                channel = listener.accept();
            }
            try (var sender = channel) {
                return readAll(sender, deadline);
            }
        }
    }

    private static byte[] readAll(SocketChannel sender, Deadline deadline) throws IOException {
        sender.configureBlocking(false);
        var all = new ByteArrayOutputStream(128 * 1024);
        var some = ByteBuffer.allocate(64 * 1024);
        try (var selector = Selector.open()) {
            sender.register(selector, SelectionKey.OP_READ);
            while (true) {
                int count = sender.read(some.clear());
                if (count < 0) {
                    return all.toByteArray();
                }
                if (count == 0) {
                    waitFor(selector, deadline);
                }
                if (all.size() + count > MAX_BYTES) {
                    throw new IOException("the machine's state is more than " + MAX_BYTES + " bytes");
                }
                all.write(some.array(), 0, count);
            }
        }
    }

    private static void waitFor(Selector selector, Deadline deadline) throws IOException {
        selector.select(deadline.millis());
        selector.selectedKeys().clear();
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        Files.deleteIfExists(path);
    }
}
