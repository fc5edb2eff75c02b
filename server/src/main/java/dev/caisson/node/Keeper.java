package dev.caisson.node;

import dev.caisson.guest.Agent;
import dev.caisson.guest.GuestCommand;
import dev.caisson.guest.GuestEvent;
import dev.caisson.guest.HeldCommand;
import dev.caisson.image.StartCommand;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Driver;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Life;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.UsageSample;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The one object, with one virtual thread, that may change a sandbox: makes it, waits for its end, tears it down.
///
/// ```
///   journal ─▶ directory, socket ─▶ driver boots ─▶ agent says hello ─▶ adopted ─▶ (lease over | asked | guest dead) ─▶ teardown ─▶ receipt
/// ```
/// [Life] decides what is legal; this class owns time and effects. Threads: safe for many.
final class Keeper {
    /// From boot to the agent's hello; a loaded machine starts many at once.
    private static final Duration HELLO_PATIENCE = Duration.ofSeconds(60);
    /// For an agent whose link broke to dial again.
    private static final Duration REDIAL_PATIENCE = Duration.ofSeconds(20);
    private static final int MAX_COMMANDS = 2_048;
    /// Of a template's own command.
    private static final String START_TAG = "start";
    /// Between two looks whether a new sandbox is ready.
    private static final Duration READY_POLL = Duration.ofMillis(20);

    private final Machine machine;
    private final Boot boot;
    private final JournalEntry entry;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private SandboxState state;
    private long deadlineNanos;
    private long createMillis;
    private @Nullable EndReason endReason;
    private @Nullable SandboxException failure;
    private @Nullable Receipt receipt;
    private @Nullable AgentDoor door;
    private final Map<CommandId, CommandWatch> commands = new LinkedHashMap<>();
    private long lastCommand;
    /// True from a node's start until the agent of a sandbox that was left running has told which commands it holds.
    private boolean takingUp;
    /// In [Uptime]; means something while the state is PAUSED.
    private long pausedNanos;
    /// How long commands that are not taken up yet have stood still. Unit: nanoseconds.
    private long stoodStill;
    private final UsageHistory history;
    /// What the guest last said; it is asked aside, so that one that does not answer holds nobody up.
    private volatile ByteSize diskUsed = new ByteSize(0);
    private final AtomicBoolean askingDisk = new AtomicBoolean();

    Keeper(Machine machine, Boot boot, JournalEntry entry) {
        this.machine = machine;
        this.boot = boot;
        this.entry = entry;
        this.state = entry.state();
        this.deadlineNanos = entry.deadlineNanos();
        this.createMillis = entry.createMillis();
        this.pausedNanos = entry.pausedNanos().orElse(0);
        this.history = new UsageHistory(entry.spec().limits());
    }

    JournalEntry entry() {
        return entry;
    }

    // Making and ending: on the keeper's own thread.

    /// A new sandbox, from the journal to the receipt. `startedNanos` is when its request arrived.
    void live(long startedNanos, Optional<StartCommand> start) throws InterruptedException {
        try {
            create(startedNanos, start);
        } catch (IOException | SandboxException e) {
            lock.lock();
            try {
                failure = e instanceof SandboxException known ? known : notStarted(e);
            } finally {
                lock.unlock();
            }
            end(EndReason.CREATE_FAILED);
        }
        awaitEnd();
        tearDown();
    }

    /// A sandbox that an earlier node left running: waits for its agent to dial again, then goes on as if nothing had been.
    void goOn() throws InterruptedException {
        try {
            openDoor();
            restAsTheRowSays();
            awaitGoingOn();
            Optional<Agent> agent = awaitHello(REDIAL_PATIENCE);
            if (agent.isEmpty()) {
                end(deathReason(EndReason.LOST));
            } else {
                takeUp(agent.get().held());
            }
        } catch (IOException e) {
            log(System.Logger.Level.WARNING, "cannot take up the sandbox again: " + e.getMessage());
            end(EndReason.LOST);
        }
        awaitEnd();
        tearDown();
    }

    private void create(long startedNanos, Optional<StartCommand> start) throws IOException, InterruptedException {
        machine.journal().intend(entry);
        // 0711: the wall's own user (a mapped one, for containers) must reach what is mounted below, nobody needs to list it.
        Files.createDirectory(boot.directory(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        openDoor();
        driver().boot(boot);
        Agent agent = awaitHello(HELLO_PATIENCE).orElseThrow(this::neverSaidHello);
        agent.adopt(entry.id().value(), entry.spec().env(), "user", 0, new byte[0]);
        if (start.isPresent()) {
            begin(agent, start.get());
        }
        long millis = Duration.ofNanos(machine.uptime().now() - startedNanos).toMillis();
        machine.journal().running(entry.id(), millis);
        history.begin(startedNanos, Duration.ZERO);
        lock.lock();
        try {
            createMillis = millis;
            if (Life.decide(state, Life.Request.AGENT_READY) instanceof Life.Decision.Accept(SandboxState next)) {
                state = next;
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Starts the template's own command and waits until something listens on its port.
    private void begin(Agent agent, StartCommand start) throws IOException, InterruptedException {
        // Its output goes nowhere; it ends with the sandbox.
        var spec = new CommandSpec(
                List.of("/bin/sh", "-c", start.command()), Map.of(), "/", start.user(), Optional.empty(), CommandSpec.MAX_TIMEOUT, CommandSpec.DEFAULT_OUTPUT_LIMIT, false, START_TAG, CommandSpec.Unread.DROP, false);
        // A lease that is over first ends the wait as well.
        long deadline = Math.min(machine.uptime().in(start.patience()), entry.deadlineNanos());
        try (var running = run(agent, spec)) {
            while (!listens(agent, start.port())) {
                refuseToWait(agent, running.id(), start, deadline);
                TimeUnit.NANOSECONDS.sleep(READY_POLL.toNanos());
            }
        }
    }

    private static boolean listens(Agent agent, int port) throws InterruptedException, LinkException {
        try {
            agent.dial(port).close();
            return true;
        } catch (SandboxException e) {
            if (e.code() != Failure.Code.PORT_CLOSED) {
                throw e;
            }
            return false;
        }
    }

    private void refuseToWait(Agent agent, CommandId id, StartCommand start, long deadline) throws InterruptedException, LinkException {
        var template = entry.spec().template();
        var ended = agent.commands().stream().filter(held -> held.id().equals(id)).flatMap(held -> held.exit().stream()).findFirst();
        if (ended.isPresent()) {
            throw Failure.Code.GUEST_FAILED.with(
                    "the start command of template " + template + " ended with status " + ended.get().status() + " before the sandbox was ready", "ask for more memory, or build the template again: caisson template build --again " + template);
        }
        if (isEnding() || isDead()) {
            throw neverReady(template, start, "the sandbox ended");
        }
        if (!machine.uptime().until(deadline).isPositive()) {
            throw neverReady(template, start, "nothing listened on port " + start.port() + " within " + start.patience().toSeconds() + " s, or before its lease was over");
        }
    }

    private SandboxException neverReady(TemplateName template, StartCommand start, String what) {
        var starved = machine.cgroups().oomKills(boot.cgroup()) > 0 ? ", out of memory" : "";
        return Failure.Code.GUEST_FAILED.with("a sandbox of template " + template + " did not become ready: " + what + starved, "ask for more memory or CPU; its start command is: " + start.command());
    }

    private SandboxException notStarted(Exception e) {
        // A file system's exception has nothing but the path for a message.
        String why = e instanceof FileSystemException ? e.toString() : String.valueOf(e.getMessage());
        var code = why.contains("No space left on device") ? Failure.Code.HOST_DISK_FULL : Failure.Code.RUNTIME_FAILED;
        return code.with("sandbox " + entry.id() + " could not be started: " + why, code == Failure.Code.HOST_DISK_FULL ? "free some space below " + machine.home().path() : "`caisson doctor` says what this machine can run", e);
    }

    private void openDoor() throws IOException {
        var opened = AgentDoor.open(boot.agentSocket(), entry.id().value(), this::wake);
        lock.lock();
        try {
            door = opened;
        } finally {
            lock.unlock();
        }
    }

    /// Waits for an agent, but not for one whose wall has fallen.
    private Optional<Agent> awaitHello(Duration patience) throws InterruptedException {
        long deadline = machine.uptime().in(patience);
        while (machine.uptime().until(deadline).isPositive() && !isEnding()) {
            Optional<Agent> agent = doorOrThrow().await(Duration.ofMillis(200));
            if (agent.isPresent() || isDead()) {
                return agent;
            }
        }
        return Optional.empty();
    }

    private SandboxException neverSaidHello() {
        if (machine.cgroups().oomKills(boot.cgroup()) > 0) {
            return Failure.Code.RUNTIME_FAILED.with("sandbox " + entry.id() + " needs more than " + entry.spec().limits().memory() + " of memory to start", "ask for more memory");
        }
        return Failure.Code.RUNTIME_FAILED.with(
                "the agent of sandbox " + entry.id() + " did not say hello; " + driver().name() + " has written to " + boot.directory(), "`caisson doctor` says what this machine can run");
    }

    /// Says, before anybody can ask for its commands, that they are not known yet.
    void expectToTakeUp() {
        takingUp = true;
    }

    /// The row was written before the processes were frozen or thawed, and the node may have been killed in between.
    private void restAsTheRowSays() throws IOException, InterruptedException {
        // Under the lock: a caller may resume it at this very moment, and what it is told then is what must come of it.
        lock.lockInterruptibly();
        try {
            if (state == SandboxState.PAUSED) {
                driver().pause(boot);
            } else {
                driver().resume(boot);
            }
        } finally {
            lock.unlock();
        }
    }

    /// Waits while it is paused; its end may come instead.
    private void awaitGoingOn() throws InterruptedException {
        boolean over = false;
        lock.lockInterruptibly();
        try {
            while (state == SandboxState.PAUSED && endReason == null && !over) {
                changed.awaitNanos(machine.uptime().until(deadlineNanos).toNanos());
                over = !machine.uptime().until(deadlineNanos).isPositive();
            }
        } finally {
            lock.unlock();
        }
        if (over) {
            leaseOver();
        }
    }

    private void takeUp(List<HeldCommand> held) throws InterruptedException {
        for (HeldCommand command : held) {
            // A command whose row was lost with the old node keeps running until the lease is over.
            var started = entry.commands().stream().filter(one -> one.id().equals(command.id())).findFirst().orElseGet(
                    () -> new JournalEntry.StartedCommand(command.id(), command.argv(), machine.uptime().now(), deadlineNanos, CommandSpec.DEFAULT_OUTPUT_LIMIT.bytes()));
            var watch = watch(started.later(stoodStill), command.pid(), CommandTraits.of(command));
            if (command.exit().isPresent()) {
                commandEnded(watch, command.exit().get());
                machine.journal().ended(entry.id(), command.id());
            } else {
                keep(watch);
            }
        }
        lock.lock();
        try {
            takingUp = false;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Waits until the end has been decided: by a caller, by the lease, or by the guest's death.
    private void awaitEnd() throws InterruptedException {
        while (true) {
            boolean over;
            lock.lockInterruptibly();
            try {
                if (endReason != null) {
                    return;
                }
                over = !machine.uptime().until(deadlineNanos).isPositive();
                // A frozen agent is not missed.
                boolean agentIsOut = state != SandboxState.PAUSED && (door == null || door.agent().isEmpty());
                if (!over && !agentIsOut) {
                    changed.awaitNanos(machine.uptime().until(deadlineNanos).toNanos());
                    continue;
                }
            } finally {
                lock.unlock();
            }
            if (over) {
                leaseOver();
            } else if (awaitHello(REDIAL_PATIENCE).isEmpty()) {
                end(deathReason(EndReason.GUEST_FAILED));
            }
        }
    }

    /// Pauses it when its owner wants that and it is not paused; else decides its end.
    private void leaseOver() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            if (endReason != null || machine.uptime().until(deadlineNanos).isPositive()) {
                return;
            }
            if (state == SandboxState.RUNNING && entry.spec().onLeaseEnd() == SandboxSpec.OnLeaseEnd.PAUSE) {
                freeze();
                return;
            }
        } catch (SandboxException e) {
            log(System.Logger.Level.WARNING, "cannot be paused at the end of its lease: " + e.getMessage());
        } finally {
            lock.unlock();
        }
        end(EndReason.LEASE_OVER);
    }

    private void tearDown() throws InterruptedException {
        closeDoor();
        Receipt made = machine.teardown().end(entry, reason(), "keeper");
        Receipt kept;
        try {
            kept = machine.journal().over(made);
        } catch (SandboxException e) {
            // The store is gone or full. Everything is released; the row stays, and the next sweep writes the receipt.
            log(System.Logger.Level.ERROR, "receipt not written: " + e.getMessage());
            kept = made;
        }
        lock.lock();
        try {
            receipt = kept;
            if (Life.decide(state, Life.Request.RESOURCES_GONE) instanceof Life.Decision.Accept(SandboxState next)) {
                state = next;
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void closeDoor() {
        lock.lock();
        AgentDoor last;
        try {
            last = door;
        } finally {
            lock.unlock();
        }
        if (last != null) {
            last.close();
        }
    }

    /// The wall has fallen: no process is left, or the sandbox's own kernel was killed for memory.
    private boolean isDead() {
        return machine.cgroups().processes(boot.cgroup()).isEmpty() || entry.spec().tier() == Tier.GVISOR && machine.cgroups().oomKills(boot.cgroup()) > 0;
    }

    private EndReason deathReason(EndReason otherwise) {
        return machine.cgroups().oomKills(boot.cgroup()) > 0 ? EndReason.OUT_OF_MEMORY : otherwise;
    }

    // Asked by callers.

    SandboxInfo info() {
        lock.lock();
        try {
            var expires = machine.clock().instant().plus(machine.uptime().until(deadlineNanos));
            return new SandboxInfo(entry.id(), entry.spec(), state, entry.imageDigest(), entry.created(), expires, createMillis);
        } finally {
            lock.unlock();
        }
    }

    /// Waits until it runs; throws what kept it from running, after all of it is gone.
    SandboxInfo awaitRunning() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (state == SandboxState.CREATING || state == SandboxState.DELETING) {
                changed.await();
            }
            if (failure != null) {
                throw failure;
            }
            if (state != SandboxState.RUNNING && state != SandboxState.PAUSED) {
                throw gone();
            }
        } finally {
            lock.unlock();
        }
        return info();
    }

    /// Decides the end; the first reason stays.
    void end(EndReason reason) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            if (!(Life.decide(state, Life.Request.END) instanceof Life.Decision.Accept(SandboxState next))) {
                return;
            }
            state = next;
            endReason = reason;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        machine.journal().ending(entry.id(), reason);
    }

    Receipt awaitReceipt() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (receipt == null) {
                changed.await();
            }
            return receipt;
        } finally {
            lock.unlock();
        }
    }

    SandboxInfo renew(Duration lease) throws InterruptedException {
        long deadline = machine.uptime().in(lease);
        lock.lockInterruptibly();
        try {
            // Under the lock: a renewal and the lease's end have one order, and the row follows it.
            refuseUnless(Life.Request.USE, "used");
            machine.journal().renewed(entry.id(), deadline);
            deadlineNanos = deadline;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        return info();
    }

    /// Freezes it; whatever is under way stands still.
    SandboxInfo pause() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            refuseUnless(Life.Request.PAUSE, "paused");
        } finally {
            lock.unlock();
        }
        // One that is just dialing again is waited for.
        agent();
        lock.lockInterruptibly();
        try {
            refuseUnless(Life.Request.PAUSE, "paused");
            freeze();
        } finally {
            lock.unlock();
        }
        return info();
    }

    private Driver driver() {
        return machine.driverOf(entry.spec().tier());
    }

    /// With the lock held, which gives pausing, resuming, renewing and the lease's end one order.
    private void freeze() throws InterruptedException {
        long now = machine.uptime().now();
        long deadline = now + machine.maxPaused().toNanos();
        try {
            machine.journal().paused(entry.id(), now, deadline);
            driver().pause(boot);
        } catch (InterruptedException | SandboxException e) {
            stayRunning();
            throw e;
        } catch (IOException e) {
            stayRunning();
            throw Failure.Code.RUNTIME_FAILED.with("sandbox " + entry.id() + " could not be paused: " + e.getMessage(), "try again, or let it run", e);
        }
        state = SandboxState.PAUSED;
        pausedNanos = now;
        deadlineNanos = deadline;
        commands.values().forEach(CommandWatch::pause);
        changed.signalAll();
    }

    private void stayRunning() throws InterruptedException {
        try {
            driver().resume(boot);
        } catch (IOException | SandboxException e) {
            log(System.Logger.Level.WARNING, "cannot be resumed: " + e.getMessage());
        }
        machine.journal().notPaused(entry.id(), deadlineNanos);
    }

    /// Lets it go on, with a lease from now.
    SandboxInfo resume(Duration lease) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            refuseUnless(Life.Request.RESUME, "resumed");
            long deadline = machine.uptime().in(lease);
            long pausedFor = machine.uptime().now() - pausedNanos;
            machine.journal().resumed(entry.id(), deadline, pausedFor);
            try {
                driver().resume(boot);
            } catch (IOException e) {
                machine.journal().paused(entry.id(), pausedNanos, deadlineNanos);
                throw Failure.Code.RUNTIME_FAILED.with("sandbox " + entry.id() + " could not be resumed: " + e.getMessage(), "try again", e);
            }
            state = SandboxState.RUNNING;
            deadlineNanos = deadline;
            if (takingUp) {
                stoodStill = pausedFor;
            }
            commands.values().forEach(watch -> watch.resume(pausedFor));
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        return info();
    }

    /// Samples of its use; the first one is taken when there is none. Not when the sandbox is made: its guest has something better to do then.
    List<UsageSample> samples(Instant from, Instant to) throws InterruptedException {
        if (history.isEmpty()) {
            var in = agentToAsk();
            if (in.isPresent()) {
                diskUsed = diskUsed(in.get());
            }
            sample();
        }
        return history.between(from, to);
    }

    /// Takes one sample, by the host's figures; only the disk's are the guest's.
    void sample() {
        history.add(machine.clock().instant(), machine.uptime().now(), machine.cgroups().load(boot.cgroup()), diskUsed);
    }

    /// Takes a sample if it lives, and has its guest asked for the disk's figure of the next one.
    void sampleInTurn() {
        lock.lock();
        try {
            if (state != SandboxState.RUNNING && state != SandboxState.PAUSED) {
                return;
            }
        } finally {
            lock.unlock();
        }
        Optional<Agent> in = agentToAsk();
        sample();
        if (in.isPresent() && askingDisk.compareAndSet(false, true)) {
            Agent agent = in.get();
            Thread.ofVirtual().name("disk-" + entry.id()).start(() -> {
                try {
                    diskUsed = diskUsed(agent);
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                } finally {
                    askingDisk.set(false);
                }
            });
        }
    }

    /// Empty while it is paused or dialing.
    private Optional<Agent> agentToAsk() {
        lock.lock();
        try {
            return state == SandboxState.RUNNING && door != null ? door.agent() : Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    /// What the guest says, at most what it may use; the figure before when it says nothing.
    private ByteSize diskUsed(Agent agent) throws InterruptedException {
        try {
            return new ByteSize(Math.clamp(agent.metrics().getDiskUsedBytes(), 0, entry.spec().limits().disk().bytes()));
        } catch (LinkException | SandboxException e) {
            return diskUsed;
        }
    }

    /// False when its end has been decided.
    boolean isLiving() {
        return !isEnding();
    }

    /// The agent, for a call that needs the guest.
    Agent agent() throws InterruptedException {
        AgentDoor open;
        lock.lockInterruptibly();
        try {
            while (takingUp && endReason == null && state != SandboxState.PAUSED) {
                changed.await();
            }
            refuseUnless(Life.Request.USE, "used");
            open = door;
        } finally {
            lock.unlock();
        }
        if (open != null) {
            var agent = open.await(REDIAL_PATIENCE);
            if (agent.isPresent()) {
                return agent.get();
            }
        }
        throw gone();
    }

    CommandRun run(CommandSpec spec) throws InterruptedException {
        return run(agent(), spec);
    }

    private CommandRun run(Agent agent, CommandSpec spec) throws InterruptedException {
        CommandId id;
        lock.lockInterruptibly();
        try {
            forgetOldCommands();
            id = CommandId.of(++lastCommand);
        } finally {
            lock.unlock();
        }
        long now = machine.uptime().now();
        var started = new JournalEntry.StartedCommand(id, spec.argv(), now, now + spec.timeout().toNanos(), spec.outputLimit().bytes());
        // gVisor counts its own processes, so it needs the limit told; a container's are counted by its cgroup.
        int processes = entry.spec().tier() == Tier.GVISOR ? entry.spec().limits().processes() : 0;
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
        Agent agent = agent();
        CommandWatch watch = command(id);
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
        Agent agent = agent();
        command(id);
        try {
            agent.input(id, data, end);
        } catch (LinkException e) {
            throw lostWhile("giving input to a command", e);
        }
    }

    List<CommandInfo> commands() throws InterruptedException {
        try {
            // How a command ended that nobody listened to, only the agent knows.
            for (HeldCommand held : anyRuns() ? agent().commands() : List.<HeldCommand>of()) {
                var watch = find(held.id());
                if (watch.isPresent() && held.exit().isPresent()) {
                    commandEnded(watch.get(), held.exit().get());
                }
            }
        } catch (LinkException e) {
            throw lostWhile("listing commands", e);
        }
        lock.lockInterruptibly();
        try {
            return commands.values().stream().map(watch -> watch.info(wallClock(watch.command().startedNanos()))).toList();
        } finally {
            lock.unlock();
        }
    }

    private Instant wallClock(long uptimeNanos) {
        return machine.clock().instant().minusNanos(machine.uptime().now() - uptimeNanos).truncatedTo(ChronoUnit.MICROS);
    }

    private boolean anyRuns() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (takingUp && endReason == null && state != SandboxState.PAUSED) {
                changed.await();
            }
            refuseUnless(Life.Request.USE, "used");
            return commands.values().stream().anyMatch(watch -> watch.result().isEmpty());
        } finally {
            lock.unlock();
        }
    }

    void signal(CommandId id, int signal) throws InterruptedException {
        Agent agent = agent();
        command(id).signalled(signal);
        try {
            agent.signal(id, signal);
        } catch (LinkException e) {
            throw lostWhile("sending a signal", e);
        }
    }

    CommandWatch command(CommandId id) {
        return find(id).orElseThrow(() -> Failure.Code.COMMAND_NOT_FOUND.with("sandbox " + entry.id() + " has no command " + id, "list them with GET /v1/sandboxes/" + entry.id() + "/commands"));
    }

    private Optional<CommandWatch> find(CommandId id) {
        lock.lock();
        try {
            return Optional.ofNullable(commands.get(id));
        } finally {
            lock.unlock();
        }
    }

    // Asked by command streams.

    CommandResult commandEnded(CommandWatch watch, GuestEvent.Exited exit) throws InterruptedException {
        var result = watch.ended(exit, exit.mayBeStarved() ? machine.cgroups().oomKills(boot.cgroup()) : 0, machine.uptime().now());
        if (watch.isRemembered()) {
            machine.journal().ended(entry.id(), watch.command().id());
        }
        return result;
    }

    CommandResult commandLost(CommandWatch watch) {
        var outcome = switch (reason()) {
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
        lock.lockInterruptibly();
        try {
            long left = REDIAL_PATIENCE.toNanos();
            while (endReason == null && left > 0) {
                var again = door == null ? Optional.<Agent>empty() : door.agent();
                if (again.isPresent()) {
                    return again;
                }
                left = changed.awaitNanos(Math.min(left, 50_000_000)) > 0 ? left : left - 50_000_000;
            }
            return Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    private CommandWatch watch(JournalEntry.StartedCommand started, int pid, CommandTraits traits) {
        var watch = new CommandWatch(started, pid, traits, machine.cgroups().oomKills(boot.cgroup()), signal -> send(started.id(), signal));
        lock.lock();
        try {
            lastCommand = Math.max(lastCommand, started.id().number());
            commands.put(started.id(), watch);
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
        lock.lockInterruptibly();
        try {
            while (state == SandboxState.PAUSED && endReason == null) {
                changed.await();
            }
        } finally {
            lock.unlock();
        }
        try {
            agent().signal(id, signal);
            return true;
        } catch (LinkException | SandboxException e) {
            // Ended already, or its sandbox is ending: the lease has the last word on a guest that does not answer.
            return false;
        }
    }

    private void forgetOldCommands() {
        if (commands.size() >= MAX_COMMANDS) {
            var done = new ArrayList<>(commands.values());
            done.removeIf(watch -> watch.result().isEmpty());
            if (done.isEmpty()) {
                throw Failure.Code.TOO_MANY.with("sandbox " + entry.id() + " already runs " + MAX_COMMANDS + " commands", "wait for some to end");
            }
            done.stream().limit(MAX_COMMANDS / 2).forEach(watch -> commands.remove(watch.command().id()));
        }
    }

    private boolean isEnding() {
        lock.lock();
        try {
            return endReason != null;
        } finally {
            lock.unlock();
        }
    }

    private EndReason reason() {
        lock.lock();
        try {
            return endReason == null ? EndReason.GUEST_FAILED : endReason;
        } finally {
            lock.unlock();
        }
    }

    private AgentDoor doorOrThrow() {
        lock.lock();
        try {
            if (door == null) {
                throw new IllegalStateException("no door yet");
            }
            return door;
        } finally {
            lock.unlock();
        }
    }

    private void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void refuseUnless(Life.Request request, String what) {
        if (Life.decide(state, request) instanceof Life.Decision.Deny(String reason)) {
            throw switch (state) {
                case DELETING, DELETED -> gone();
                case CREATING -> Failure.Code.WRONG_STATE.with("sandbox " + entry.id() + " cannot be " + what + ": " + reason, "wait until it runs");
                case PAUSED -> Failure.Code.WRONG_STATE.with("sandbox " + entry.id() + " cannot be " + what + ": " + reason, "resume it first");
                case RUNNING -> Failure.Code.WRONG_STATE.with("sandbox " + entry.id() + " cannot be " + what + ": " + reason, "pause it first");
            };
        }
    }

    private SandboxException gone() {
        return Failure.Code.SANDBOX_NOT_FOUND.with("sandbox " + entry.id() + " is gone (" + reason().name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ') + ")", "its receipt says why: caisson receipt " + entry.id());
    }

    private SandboxException lostWhile(String doing, LinkException e) {
        return Failure.Code.GUEST_FAILED.with("sandbox " + entry.id() + " was lost while " + doing + ": " + e.getMessage(), "its receipt will say why: caisson receipt " + entry.id(), e);
    }

    private void log(System.Logger.Level level, String message) {
        System.getLogger(Keeper.class.getName()).log(level, "sandbox=" + entry.id() + " " + message);
    }
}
