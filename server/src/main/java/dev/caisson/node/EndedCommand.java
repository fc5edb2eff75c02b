package dev.caisson.node;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import java.nio.ByteBuffer;

/// The stream of a command of which only the end is known any more.
final class EndedCommand implements CommandStream {
    private final CommandEvent.Started started;
    private final CommandResult result;
    private boolean begun;

    EndedCommand(CommandEvent.Started started, CommandResult result) {
        this.started = started;
        this.result = result;
    }

    @Override
    public CommandEvent next() {
        if (!begun) {
            begun = true;
            return started;
        }
        return new CommandEvent.Ended(result);
    }

    @Override
    public boolean isReady() {
        return true;
    }

    @Override
    public void write(ByteBuffer data) {
        throw over();
    }

    @Override
    public void closeInput() {
        throw over();
    }

    private RuntimeException over() {
        return Failure.Code.WRONG_STATE.with("the command " + started.id() + " has ended and takes no more input", "start another one");
    }

    @Override
    public void close() {
        // Nothing is held.
    }
}
