package dev.caisson.node;

import dev.caisson.guest.Agent;
import dev.caisson.guest.GuestCommand;
import dev.caisson.guest.GuestEvent;
import dev.caisson.guest.HeldCommand;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/// The commands of one sandbox: which there are, what bounds them, and how they ended.
///
/// Threads: safe for many; its keeper may call in with its own lock held, so nothing here calls the keeper with this one held.
final class KeptCommands {
    private static final int MAX_COMMANDS = 2_048;

    private final Keeper keeper;
    private final Machine machine;
    private final Boot boot;
    private final JournalEntry entry;

    private final ReentrantLock lock = new ReentrantLock();
    private final Map<CommandId, CommandWatch> all = new LinkedHashMap<>();
    private long last;

    KeptCommands(Keeper keeper, Machine machine, Boot boot, JournalEntry entry) {
        this.keeper = keeper;
        this.machine = machine;
        this.boot = boot;
        this.entry = entry;
    }

    /// Knows again what the agent holds of an earlier node's commands.
    ///
    /// @param stoodStill how long they have been frozen since. Unit: nanoseconds
    /// @param deadlineNanos the sandbox's, for a command whose row was lost with the old node: it runs until then
    void takeUp(List<HeldCommand> held, long stoodStill, long deadlineNanos) throws InterruptedException {
        for (HeldCommand command : held) {
            var started = entry.commands().stream().filter(one -> one.id().equals(command.id())).findFirst().orElseGet(
                    () -> new JournalEntry.StartedCommand(command.id(), command.argv(), machine.uptime().now(), deadlineNanos, CommandSpec.DEFAULT_OUTPUT_LIMIT.bytes()));
            var watch = watch(started.later(stoodStill), command.pid(), CommandTraits.of(command));
            if (command.exit().isPresent()) {
                ended(watch, command.exit().get());
                machine.journal().ended(entry.id(), command.id());
            } else {
                keep(watch);
            }
        }
    }

    CommandRun start(CommandSpec spec) throws InterruptedException {
        return start(keeper.agent(), spec);
    }

    /// The same in a sandbox that is not known to run yet.
    CommandRun start(Agent agent, CommandSpec spec) throws InterruptedException {
        CommandId id;
        lock.lockInterruptibly();
        try {
            forgetOldCommands();
            id = CommandId.of(++last);
        } finally {
            lock.unlock();
        }
        long now = machine.uptime().now();
        var started = new JournalEntry.StartedCommand(id, spec.argv(), now, now + spec.timeout().toNanos(), spec.outputLimit().bytes());
        // A kernel of its own counts its own processes, so it needs the limit told; a container's are counted by its cgroup.
        int processes = entry.spec().tier() != Tier.CONTAINER ? entry.spec().limits().processes() : 0;
        try {
            GuestCommand guest = agent.start(id, spec, entry.spec().limits().openFiles(), processes);
            CommandWatch watch = watch(started, guest.pid(), CommandTraits.of(spec));
            if (!spec.batched() || !guest.isReady()) {
                keep(watch);
            }
            return new CommandRun(this, watch, guest);
        } catch (LinkException e) {
            throw lostWhile("starting a command", e);
        }
    }

    CommandStream attach(CommandId id, long stdoutOffset, long stderrOffset) throws InterruptedException {
        Agent agent = keeper.agent();
        CommandWatch watch = get(id);
        try {
            return new CommandRun(this, watch, agent.attach(id, stdoutOffset, stderrOffset));
        } catch (SandboxException e) {
            var result = watch.result();
            if (e.code() != Failure.Code.COMMAND_NOT_FOUND || result.isEmpty()) {
                throw e;
            }
            if (!watch.isAllTakenAt(stdoutOffset, stderrOffset)) {
                throw Failure.Code.OUTPUT_LOST.with("the output of command " + id + ", which has ended, is no longer kept", "attach with the offsets -1 to hear how it ended", e);
            }
            return new EndedCommand(new CommandEvent.Started(id, watch.pid()), result.get());
        } catch (LinkException e) {
            throw lostWhile("attaching to a command", e);
        }
    }

    void input(CommandId id, ByteBuffer data, boolean end) throws InterruptedException {
        Agent agent = keeper.agent();
        get(id);
        try {
            agent.input(id, data, end);
        } catch (LinkException e) {
            throw lostWhile("giving input to a command", e);
        }
    }

    List<CommandInfo> list() throws InterruptedException {
        try {
            // How a command ended that nobody listened to, only the agent knows.
            for (HeldCommand held : anyRuns() ? keeper.agent().commands() : List.<HeldCommand>of()) {
                var watch = find(held.id());
                if (watch.isPresent() && held.exit().isPresent()) {
                    ended(watch.get(), held.exit().get());
                }
            }
        } catch (LinkException e) {
            throw lostWhile("listing commands", e);
        }
        lock.lockInterruptibly();
        try {
            return all.values().stream().map(watch -> watch.info(wallClock(watch.command().startedNanos()))).toList();
        } finally {
            lock.unlock();
        }
    }

    private Instant wallClock(long uptimeNanos) {
        return machine.clock().instant().minusNanos(machine.uptime().now() - uptimeNanos).truncatedTo(ChronoUnit.MICROS);
    }

    private boolean anyRuns() throws InterruptedException {
        keeper.awaitTakenUp();
        lock.lockInterruptibly();
        try {
            return all.values().stream().anyMatch(watch -> watch.result().isEmpty());
        } finally {
            lock.unlock();
        }
    }

    void signal(CommandId id, int signal) throws InterruptedException {
        Agent agent = keeper.agent();
        get(id).signalled(signal);
        try {
            agent.signal(id, signal);
        } catch (LinkException e) {
            throw lostWhile("sending a signal", e);
        }
    }

    /// Errors: [Failure.Code#COMMAND_NOT_FOUND].
    CommandWatch get(CommandId id) {
        return find(id).orElseThrow(() -> Failure.Code.COMMAND_NOT_FOUND.with("sandbox " + entry.id() + " has no command " + id, "list them with GET /v1/sandboxes/" + entry.id() + "/commands"));
    }

    private Optional<CommandWatch> find(CommandId id) {
        lock.lock();
        try {
            return Optional.ofNullable(all.get(id));
        } finally {
            lock.unlock();
        }
    }

    /// The sandbox was frozen: their time stands still.
    void pause() {
        lock.lock();
        try {
            all.values().forEach(CommandWatch::pause);
        } finally {
            lock.unlock();
        }
    }

    /// It goes on, after so many nanoseconds.
    void resume(long pausedFor) {
        lock.lock();
        try {
            all.values().forEach(watch -> watch.resume(pausedFor));
        } finally {
            lock.unlock();
        }
    }

    // Asked by command streams.

    CommandResult ended(CommandWatch watch, GuestEvent.Exited exit) throws InterruptedException {
        var result = watch.ended(exit, exit.mayBeStarved() ? machine.cgroups().oomKills(boot.cgroup()) : 0, machine.uptime().now());
        if (watch.isRemembered()) {
            machine.journal().ended(entry.id(), watch.command().id());
        }
        return result;
    }

    CommandResult lost(CommandWatch watch) {
        var outcome = switch (keeper.reason()) {
            case OUT_OF_MEMORY -> CommandResult.Outcome.OUT_OF_MEMORY;
            case LEASE_OVER -> CommandResult.Outcome.TIMED_OUT;
            case DELETED, GUEST_FAILED, CREATE_FAILED, LOST -> CommandResult.Outcome.SANDBOX_GONE;
        };
        return watch.lost(outcome, machine.uptime().now());
    }

    /// After a stream of `broken` broke: the agent when it has dialed again, empty when the sandbox is gone.
    Optional<Agent> agentAgain(GuestCommand broken, LinkException why) throws InterruptedException {
        if (!broken.linkIsOver()) {
            throw Failure.Code.WRONG_STATE.with("the command's stream was broken off: " + why.getMessage(), "attach again", why);
        }
        return keeper.agentAgain();
    }

    private CommandWatch watch(JournalEntry.StartedCommand started, int pid, CommandTraits traits) {
        var watch = new CommandWatch(started, pid, traits, machine.cgroups().oomKills(boot.cgroup()), signal -> send(started.id(), signal));
        lock.lock();
        try {
            last = Math.max(last, started.id().number());
            all.put(started.id(), watch);
        } finally {
            lock.unlock();
        }
        return watch;
    }

    /// Bounds a command's time. One of which the end may have come already is kept when its stream finds that it has not.
    void keep(CommandWatch watch) {
        watch.keep(machine.alarms(), machine.uptime(), command -> machine.journal().started(entry.id(), command));
    }

    private boolean send(CommandId id, int signal) throws InterruptedException {
        keeper.awaitNotPaused();
        try {
            keeper.agent().signal(id, signal);
            return true;
        } catch (LinkException | SandboxException e) {
            // Ended already, or its sandbox is ending: the lease has the last word on a guest that does not answer.
            return false;
        }
    }

    private SandboxException lostWhile(String doing, LinkException e) {
        return Failure.Code.GUEST_FAILED.with("sandbox " + entry.id() + " was lost while " + doing + ": " + e.getMessage(), "its receipt will say why: caisson receipt " + entry.id(), e);
    }

    private void forgetOldCommands() {
        if (all.size() >= MAX_COMMANDS) {
            var done = new ArrayList<>(all.values());
            done.removeIf(watch -> watch.result().isEmpty());
            if (done.isEmpty()) {
                throw Failure.Code.TOO_MANY.with("sandbox " + entry.id() + " already runs " + MAX_COMMANDS + " commands", "wait for some to end");
            }
            done.stream().limit(MAX_COMMANDS / 2).forEach(watch -> all.remove(watch.command().id()));
        }
    }
}
