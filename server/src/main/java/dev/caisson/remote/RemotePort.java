package dev.caisson.remote;

import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.PortConnection;
import java.nio.ByteBuffer;
import java.util.Optional;

/// A connection to a port of a sandbox across the link: bytes on channel 1 both ways, a message only when it broke.
final class RemotePort implements PortConnection {
    private final LinkStream stream;

    RemotePort(LinkStream stream) {
        this.stream = stream;
    }

    /// Waits until the node has connected.
    static RemotePort connected(LinkStream stream) throws LinkException, InterruptedException {
        Answer.next(stream);
        return new RemotePort(stream);
    }

    @Override
    public Optional<ByteBuffer> next() throws InterruptedException {
        try {
            switch (stream.next()) {
                case Incoming.Data(int _, ByteBuffer bytes) -> {
                    return Optional.of(bytes);
                }
                case Incoming.End _, Incoming.Closed _ -> {
                    return Optional.empty();
                }
                case Incoming.Message(byte[] bytes) -> {
                    Answer.succeeded(bytes);
                    throw new LinkException("a message among a port's bytes");
                }
            }
        } catch (LinkException e) {
            throw Answer.unreachable(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void write(ByteBuffer data) throws InterruptedException {
        try {
            stream.write(1, data);
        } catch (LinkException e) {
            throw Answer.unreachable(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void finish() {
        try {
            stream.end(1);
        } catch (LinkException e) {
            throw Answer.unreachable(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void close() {
        stream.close();
    }
}
