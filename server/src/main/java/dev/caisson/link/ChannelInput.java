package dev.caisson.link;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;

/// The bytes of one channel of a stream, up to its END, as an input stream.
///
/// Messages that come between are given to a handler, which throws what they mean. A stream that closes before the channel's end is an error.
/// Threads: one at a time. Cleanup: close lets go of the whole link stream.
public final class ChannelInput extends InputStream {
    /// Takes a message that comes among the bytes.
    @FunctionalInterface
    public interface MessageHandler {
        void message(byte[] bytes) throws IOException;
    }

    private final LinkStream stream;
    private final int channel;
    private final MessageHandler messages;
    private ByteBuffer current = ByteBuffer.allocate(0);
    private boolean ended;

    public ChannelInput(LinkStream stream, int channel, MessageHandler messages) {
        this.stream = stream;
        this.channel = channel;
        this.messages = messages;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] into, int from, int most) throws IOException {
        if (most == 0) {
            return 0;
        }
        while (!current.hasRemaining()) {
            if (ended) {
                return -1;
            }
            advance();
        }
        int n = Math.min(most, current.remaining());
        current.get(into, from, n);
        return n;
    }

    private void advance() throws IOException {
        try {
            switch (stream.next()) {
                case Incoming.Data(int of, ByteBuffer bytes) when of == channel -> current = bytes;
                case Incoming.Data _ -> throw new LinkException("bytes on a channel that was not asked for");
                case Incoming.Message(byte[] bytes) -> messages.message(bytes);
                case Incoming.End(int of) -> ended |= of == channel;
                case Incoming.Closed _ -> throw new LinkException("the other side stopped before the end");
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while reading");
        }
    }

    @Override
    public void close() {
        stream.close();
    }
}
