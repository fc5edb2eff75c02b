package dev.caisson.remote;

import dev.caisson.json.Forms;
import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandEvent.Channel;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import java.nio.ByteBuffer;

/// A command's stream across the link.
final class RemoteCommand implements CommandStream {
    private final LinkStream stream;
    private final CommandEvent started;
    private final long[] offsets;
    private boolean begun;

    private RemoteCommand(LinkStream stream, CommandEvent started, long stdoutOffset, long stderrOffset) {
        this.stream = stream;
        this.started = started;
        this.offsets = new long[] {stdoutOffset, stderrOffset};
    }

    /// Waits for the first event, so that a command that could not be started fails the call and not its stream.
    static RemoteCommand started(LinkStream stream, long stdoutOffset, long stderrOffset) throws LinkException, InterruptedException {
        return new RemoteCommand(stream, Answer.one(stream, Forms.COMMAND_EVENT), stdoutOffset, stderrOffset);
    }

    @Override
    public CommandEvent next() throws InterruptedException {
        if (!begun) {
            begun = true;
            return started;
        }
        try {
            while (true) {
                switch (stream.next()) {
                    case Incoming.Data(int channel, ByteBuffer bytes) -> {
                        long offset = offsets[channel - 1];
                        offsets[channel - 1] += bytes.remaining();
                        return new CommandEvent.Output(channel == 1 ? Channel.STDOUT : Channel.STDERR, offset, bytes);
                    }
                    case Incoming.Message(byte[] bytes) -> {
                        CommandEvent event = Forms.COMMAND_EVENT.readKeys(Answer.succeeded(bytes));
                        switch (event) {
                            case CommandEvent.Output(Channel channel, long offset, ByteBuffer _) -> offsets[channel.ordinal()] = offset;
                            case CommandEvent.Started _ -> {
                                return event;
                            }
                            case CommandEvent.Ended _ -> {
                                // It comes with the end of the stream, so that closing it says nothing that wakes the node.
                                stream.awaitClose();
                                return event;
                            }
                        }
                    }
                    case Incoming.End _ -> {}
                    case Incoming.Closed _ -> throw new LinkException("the command's stream ended early");
                }
            }
        } catch (LinkException e) {
            throw Answer.unreachable(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public boolean isReady() {
        return !begun || stream.isReady();
    }

    @Override
    public void write(ByteBuffer data) throws InterruptedException {
        try {
            stream.write(1, data);
        } catch (LinkException e) {
            throw inputLost(e);
        }
    }

    @Override
    public void closeInput() {
        try {
            stream.end(1);
        } catch (LinkException e) {
            throw inputLost(e);
        }
    }

    private static RuntimeException inputLost(LinkException e) {
        return Failure.Code.WRONG_STATE.with("the command takes no more input: " + e.getMessage(), "look whether it still runs", e);
    }

    @Override
    public void close() {
        stream.close();
    }
}
