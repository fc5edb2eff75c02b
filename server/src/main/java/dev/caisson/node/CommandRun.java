package dev.caisson.node;

import dev.caisson.guest.Agent;
import dev.caisson.guest.GuestCommand;
import dev.caisson.guest.GuestEvent;
import dev.caisson.link.LinkException;
import dev.caisson.sandbox.CommandEvent.Channel;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandResult.Outcome;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.nio.ByteBuffer;

/// A caller's stream of one command, over whatever link the agent has at the time.
///
/// When the link breaks and the agent dials again, the stream goes on where it stopped; when the sandbox is gone, it ends with the reason.
final class CommandRun implements CommandStream {
    private final KeptCommands commands;
    private final CommandWatch watch;
    /// Bytes taken of each channel.
    private final long[] taken;
    private volatile GuestCommand guest;
    private boolean begun;
    private volatile boolean ended;

    CommandRun(KeptCommands commands, CommandWatch watch, GuestCommand guest) {
        this.commands = commands;
        this.watch = watch;
        this.guest = guest;
        this.taken = new long[] {guest.offset(Channel.STDOUT), guest.offset(Channel.STDERR)};
    }

    CommandId id() {
        return watch.command().id();
    }

    @Override
    public CommandEvent next() throws InterruptedException {
        if (!begun) {
            begun = true;
            return new CommandEvent.Started(watch.command().id(), watch.pid());
        }
        while (true) {
            if (!guest.isReady()) {
                commands.keep(watch);
            }
            try {
                switch (guest.next()) {
                    case GuestEvent.Output output -> {
                        commands.keep(watch);
                        ByteBuffer allowed = withinLimit(output);
                        if (allowed.hasRemaining()) {
                            return new CommandEvent.Output(output.channel(), output.offset(), allowed);
                        }
                    }
                    case GuestEvent.Exited exit -> {
                        ended = true;
                        watch.taken(taken[0], taken[1]);
                        return new CommandEvent.Ended(commands.ended(watch, exit));
                    }
                }
            } catch (LinkException e) {
                if (!reattached(e)) {
                    return new CommandEvent.Ended(commands.lost(watch));
                }
            }
        }
    }

    /// Takes the stream up again with each agent that dials; false when the sandbox, or all that was held of the command, is gone.
    private boolean reattached(LinkException why) throws InterruptedException {
        LinkException last = why;
        for (var agent = commands.agentAgain(guest, last); agent.isPresent(); agent = commands.agentAgain(guest, last)) {
            try {
                guest = attachedAgain(agent.get());
                return true;
            } catch (SandboxException e) {
                if (e.code() == Failure.Code.COMMAND_NOT_FOUND && watch.result().isPresent()) {
                    return false;
                }
                throw e;
            } catch (LinkException e) {
                // That one is gone as well.
                last = e;
            }
        }
        return false;
    }

    private GuestCommand attachedAgain(Agent agent) throws LinkException, InterruptedException {
        try {
            return agent.attach(watch.command().id(), taken[0], taken[1]);
        } catch (SandboxException e) {
            if (e.code() != Failure.Code.OUTPUT_LOST || !watch.drops()) {
                throw e;
            }
            // While the link was down nobody was attached, so some of it went.
            return agent.attach(watch.command().id(), FROM_KEPT, FROM_KEPT);
        }
    }

    /// Cuts what is beyond the output limit, and has the command ended when there is such.
    private ByteBuffer withinLimit(GuestEvent.Output output) {
        int length = output.data().remaining();
        taken[output.channel().ordinal()] = output.offset() + length;
        long beyond = taken[0] + taken[1] - watch.outputLimitBytes();
        if (beyond <= 0) {
            return output.data();
        }
        watch.stop(Outcome.OUTPUT_LIMIT);
        return output.data().slice(output.data().position(), (int) Math.max(0, length - beyond));
    }

    @Override
    public boolean isReady() {
        return !begun || guest.isReady();
    }

    @Override
    public void write(ByteBuffer data) throws InterruptedException {
        try {
            guest.write(data);
        } catch (LinkException e) {
            throw inputLost(e);
        }
    }

    @Override
    public void closeInput() {
        try {
            guest.closeInput();
        } catch (LinkException e) {
            throw inputLost(e);
        }
    }

    private static RuntimeException inputLost(LinkException e) {
        return Failure.Code.WRONG_STATE.with("the command takes no more input: " + e.getMessage(), "look whether it still runs", e);
    }

    /// The agent hears that the end was taken only now, so that whoever waited for it is told first.
    @Override
    public void close() {
        commands.keep(watch);
        if (ended) {
            try {
                guest.finish();
            } catch (LinkException _) {
                // It will tell the end again when it dials.
            }
        }
        guest.close();
    }
}
