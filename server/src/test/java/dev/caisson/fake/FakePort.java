package dev.caisson.fake;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.PortConnection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Optional;

/// A connection to a port of the test's own loopback.
final class FakePort implements PortConnection {
    private final SocketChannel channel;
    private final ByteBuffer buffer = ByteBuffer.allocate(64 * 1024);

    FakePort(int local) {
        try {
            channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", local));
        } catch (IOException e) {
            throw Failure.Code.PORT_CLOSED.with("nothing listens on port " + local, "start a server", e);
        }
    }

    @Override
    public Optional<ByteBuffer> next() {
        try {
            buffer.clear();
            return channel.read(buffer) < 0 ? Optional.empty() : Optional.of(buffer.flip());
        } catch (IOException e) {
            throw broken(e);
        }
    }

    @Override
    public void write(ByteBuffer data) {
        try {
            while (data.hasRemaining()) {
                channel.write(data);
            }
        } catch (IOException e) {
            throw broken(e);
        }
    }

    @Override
    public void finish() {
        try {
            channel.shutdownOutput();
        } catch (IOException e) {
            throw broken(e);
        }
    }

    private static RuntimeException broken(IOException e) {
        return Failure.Code.GUEST_FAILED.with("the connection broke: " + e.getMessage(), "connect again", e);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
