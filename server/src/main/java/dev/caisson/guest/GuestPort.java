package dev.caisson.guest;

import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.PortConnection;
import java.nio.ByteBuffer;
import java.util.Optional;

/// A connection to a port in the guest, over the agent's link.
final class GuestPort implements PortConnection {
    private static final int BYTES = 1;

    private final LinkStream stream;

    GuestPort(LinkStream stream) {
        this.stream = stream;
    }

    @Override
    public Optional<ByteBuffer> next() throws InterruptedException {
        try {
            return switch (stream.next()) {
                case Incoming.Data(int channel, ByteBuffer bytes) when channel == BYTES -> Optional.of(bytes);
                case Incoming.End _, Incoming.Closed _ -> Optional.empty();
                case Incoming.Data _, Incoming.Message _ -> throw new LinkException("the agent sent what does not belong to a port");
            };
        } catch (LinkException e) {
            throw broken(e);
        }
    }

    @Override
    public void write(ByteBuffer data) throws InterruptedException {
        try {
            stream.write(BYTES, data);
        } catch (LinkException e) {
            throw broken(e);
        }
    }

    @Override
    public void finish() {
        try {
            stream.end(BYTES);
        } catch (LinkException e) {
            throw broken(e);
        }
    }

    @Override
    public void close() {
        stream.close();
    }

    private static RuntimeException broken(LinkException e) {
        return Failure.Code.GUEST_FAILED.with("the connection into the sandbox broke: " + e.getMessage(), "connect again", e);
    }
}
