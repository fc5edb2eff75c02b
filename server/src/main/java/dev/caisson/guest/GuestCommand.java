package dev.caisson.guest;

import dev.caisson.guest.wire.Reply;
import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.CommandEvent.Channel;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// A started command's stream.
///
/// Back-pressure: output not taken is not read from the command. Threads: one takes, another may write.
/// Cleanup: close lets go of the stream; the command goes on.
public final class GuestCommand implements AutoCloseable {
    private final LinkStream stream;
    private final int pid;
    private final long[] offsets;

    GuestCommand(LinkStream stream, int pid, long stdoutOffset, long stderrOffset) {
        this.stream = stream;
        this.pid = pid;
        this.offsets = new long[] {stdoutOffset, stderrOffset};
    }

    /// As seen inside the sandbox.
    public int pid() {
        return pid;
    }

    /// Where each channel goes on, in bytes since the command's start.
    public long offset(Channel channel) {
        return offsets[channel.ordinal()];
    }

    /// The next event; [GuestEvent.Exited] is the last.
    public GuestEvent next() throws LinkException, InterruptedException {
        GuestEvent event = event(stream.next());
        while (event == null) {
            event = event(stream.next());
        }
        return event;
    }

    /// The same, waiting at most so long for anything to arrive; a [LinkException] then.
    public GuestEvent next(Duration atMost) throws LinkException, InterruptedException {
        GuestEvent event = event(stream.next(atMost));
        while (event == null) {
            event = event(stream.next(atMost));
        }
        return event;
    }

    /// Null for what tells of nothing.
    private @Nullable GuestEvent event(Incoming incoming) {
        return switch (incoming) {
            case Incoming.Data(int channel, ByteBuffer bytes) when channel <= 2 -> {
                long offset = offsets[channel - 1];
                offsets[channel - 1] += bytes.remaining();
                yield new GuestEvent.Output(channel == 1 ? Channel.STDOUT : Channel.STDERR, offset, bytes);
            }
            case Incoming.Message(byte[] bytes) -> {
                Reply reply = Replies.succeeded(Replies.parse(bytes));
                if (!reply.hasExited()) {
                    throw Replies.broken("sent a reply that does not belong to a command", null);
                }
                yield Replies.exit(reply.getExited());
            }
            case Incoming.End _ -> null;
            case Incoming.Data _ -> throw Replies.broken("sent data on a channel that a command does not have", null);
            case Incoming.Closed _ -> throw Replies.broken("closed a command's stream without its exit", null);
        };
    }

    /// True when [#next] would not wait.
    public boolean isReady() {
        return stream.isReady();
    }

    public void write(ByteBuffer data) throws LinkException, InterruptedException {
        stream.write(1, data);
    }

    public void closeInput() throws LinkException {
        stream.end(1);
    }

    /// True when not only this stream but the agent's whole link is over.
    public boolean linkIsOver() {
        return stream.linkIsOver();
    }

    /// Ends the stream after the exit was taken, so that the agent forgets the command.
    public void finish() throws LinkException {
        stream.finish();
    }

    @Override
    public void close() {
        stream.close();
    }
}
