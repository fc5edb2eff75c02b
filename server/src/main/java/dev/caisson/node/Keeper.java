package dev.caisson.node;

import dev.caisson.guest.Agent;
import dev.caisson.image.StartCommand;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Driver;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Life;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Tier;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.time.Duration;
import java.util.Optional;
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

    private final Machine machine;
    private final Boot boot;
    private final JournalEntry entry;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private SandboxState state;
    private long deadlineNanos;
    private final LeaseEnd leaseEnd;
    private long createMillis;
    private @Nullable EndReason endReason;
    private @Nullable SandboxException failure;
    private @Nullable Receipt receipt;
    private @Nullable AgentDoor door;
    private final KeptCommands commands;
    private final UsageSampler usage;
    private final WayOut wayOut;
    private final Adoption adoption;
    /// True from a node's start until the agent of a sandbox that was left running has told which commands it holds.
    private boolean takingUp;
    private Runnable over = () -> {};
    /// In [Uptime]; means something while the state is PAUSED.
    private long pausedNanos;
    /// How long commands that are not taken up yet have stood still. Unit: nanoseconds.
    private long stoodStill;

    Keeper(Machine machine, Boot boot, JournalEntry entry) {
        this.machine = machine;
        this.boot = boot;
        this.entry = entry;
        this.state = entry.state();
        this.deadlineNanos = entry.deadlineNanos();
        this.leaseEnd = new LeaseEnd(machine.uptime(), machine.clock());
        this.createMillis = entry.createMillis();
        this.pausedNanos = entry.pausedNanos().orElse(0);
        this.commands = new KeptCommands(this, machine, boot, entry);
        this.usage = new UsageSampler(machine, boot, entry, this::agentToAsk);
        this.wayOut = new WayOut(machine, entry);
        this.adoption = new Adoption(machine, boot);
    }

    JournalEntry entry() {
        return entry;
    }

    /// To be set before it begins.
    ///
    /// @param gone called once nothing is left, before anybody who waits for that is told
    void onOver(Runnable gone) {
        over = gone;
    }

    // Making and ending: on the keeper's own thread.

    /// A new sandbox, from the journal to the receipt.
    ///
    /// @param startedNanos when its request arrived
    /// @param standby the machine that it takes over, whose place this keeper's is
    void live(long startedNanos, Optional<StartCommand> start, Optional<Standby> standby) throws InterruptedException {
        try {
            create(startedNanos, start, standby);
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
            openWayOutAgain();
            restAsTheRowSays();
            awaitGoingOn();
            Optional<Agent> agent = awaitHello(REDIAL_PATIENCE);
            if (agent.isEmpty()) {
                end(deathReason(EndReason.LOST));
            } else {
                takeUp(agent.get());
            }
        } catch (IOException e) {
            log(System.Logger.Level.WARNING, "cannot take up the sandbox again: " + e.getMessage());
            end(EndReason.LOST);
        }
        awaitEnd();
        tearDown();
    }

    /// Its network may have gone with a gateway's network that somebody removed: that costs it its way out, not its life.
    private void openWayOutAgain() {
        try {
            wayOut.openAgain();
        } catch (IOException e) {
            log(System.Logger.Level.WARNING, "it has no way out any more: " + e.getMessage());
        }
    }

    private void create(long startedNanos, Optional<StartCommand> start, Optional<Standby> standby) throws IOException, InterruptedException {
        Duration cpu = standby.isPresent() ? machine.cgroups().load(boot.cgroup()).cpu() : Duration.ZERO;
        Agent agent = standby.isPresent() ? takeOver(standby.get()) : boot();
        wayOut.awaitOpen();
        adopt(agent);
        // A copy has it already.
        commands.takeUp(agent.held(), 0, entry.deadlineNanos());
        if (start.isPresent() && agent.held().isEmpty()) {
            new TemplateStart(machine, boot, entry, commands, () -> isEnding() || isDead()).begin(agent, start.get());
        }
        long millis = Duration.ofNanos(machine.uptime().now() - startedNanos).toMillis();
        machine.journal().running(entry.id(), millis);
        usage.begin(startedNanos, cpu);
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

    private Agent boot() throws IOException, InterruptedException {
        machine.journal().intend(entry);
        Machine.makeDirectory(boot);
        openDoor();
        wayOut.begin();
        driver().boot(boot);
        return awaitHello(HELLO_PATIENCE).orElseThrow(this::neverSaidHello);
    }

    private Agent takeOver(Standby standby) throws InterruptedException {
        keepAt(standby.door());
        if (!machine.journal().takeOver(entry)) {
            throw lost();
        }
        wayOut.begin();
        return standby.door().agent().orElseThrow(this::lost);
    }

    private SandboxException lost() {
        return Failure.Code.RUNTIME_FAILED.with("sandbox " + entry.id() + " could not be started: the machine that stood by for it has ended", "try again");
    }

    private void adopt(Agent agent) throws InterruptedException {
        adoption.of(agent, entry.spec().env(), wayOut.trust());
    }

    private SandboxException notStarted(Exception e) {
        // A file system's exception has nothing but the path for a message.
        String why = e instanceof FileSystemException ? e.toString() : String.valueOf(e.getMessage());
        var code = why.contains("No space left on device") ? Failure.Code.HOST_DISK_FULL : Failure.Code.RUNTIME_FAILED;
        return code.with("sandbox " + entry.id() + " could not be started: " + why, code == Failure.Code.HOST_DISK_FULL ? "free some space below " + machine.home().path() : "`caisson doctor` says what this machine can run", e);
    }

    private void openDoor() throws IOException {
        keepAt(AgentDoor.open(boot.agentSocket(), entry.id().value()));
    }

    private void keepAt(AgentDoor opened) {
        opened.onLost(this::wake);
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

    /// Says, before the gateway is told of anybody, that this one lives.
    void rememberWayOut() {
        wayOut.remember();
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

    private void takeUp(Agent agent) throws InterruptedException {
        long still;
        long deadline;
        lock.lock();
        try {
            still = stoodStill;
            deadline = deadlineNanos;
        } finally {
            lock.unlock();
        }
        commands.takeUp(agent.held(), still, deadline);
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
        wayOut.close();
        Receipt made = machine.teardown().end(entry, reason(), "keeper");
        Receipt kept;
        try {
            kept = machine.journal().over(made);
        } catch (SandboxException e) {
            // The store is gone or full. Everything is released; the row stays, and the next sweep writes the receipt.
            log(System.Logger.Level.ERROR, "receipt not written: " + e.getMessage());
            kept = made;
        }
        over.run();
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

    /// The wall has fallen: no process is left, or what runs the sandbox's own kernel was killed for memory.
    private boolean isDead() {
        return machine.cgroups().processes(boot.cgroup()).isEmpty() || entry.spec().tier() != Tier.CONTAINER && machine.cgroups().oomKills(boot.cgroup()) > 0;
    }

    private EndReason deathReason(EndReason otherwise) {
        return machine.cgroups().oomKills(boot.cgroup()) > 0 ? EndReason.OUT_OF_MEMORY : otherwise;
    }

    // Asked by callers.

    SandboxInfo info() {
        lock.lock();
        try {
            return new SandboxInfo(entry.id(), entry.spec().withEgress(wayOut.egress()), state, entry.imageDigest(), entry.created(), leaseEnd.at(deadlineNanos), createMillis);
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

    /// Replaces what it may reach.
    SandboxInfo setEgress(Egress egress) throws InterruptedException {
        boolean running;
        lock.lockInterruptibly();
        try {
            // One that is paused will go on with the new rules.
            if (state != SandboxState.PAUSED) {
                refuseUnless(Life.Request.USE, "changed");
            }
            running = state == SandboxState.RUNNING;
        } finally {
            lock.unlock();
        }
        // Not under the lock: while the gateway is away this takes seconds, and nothing else of the sandbox waits for it.
        if (!wayOut.change(egress)) {
            throw gone();
        }
        if (running && wayOut.trust().isPresent()) {
            // Commands that start from now on trust the authority that opens their TLS.
            adopt(agent());
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
        return machine.drivers().of(entry.spec());
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
        commands.pause();
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
                tellTheTime();
            } catch (IOException e) {
                machine.journal().paused(entry.id(), pausedNanos, deadlineNanos);
                throw Failure.Code.RUNTIME_FAILED.with("sandbox " + entry.id() + " could not be resumed: " + e.getMessage(), "try again", e);
            }
            state = SandboxState.RUNNING;
            deadlineNanos = deadline;
            if (takingUp) {
                stoodStill = pausedFor;
            }
            commands.resume(pausedFor);
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        return info();
    }

    /// The clock of a kernel of its own has stood still.
    private void tellTheTime() throws InterruptedException {
        AgentDoor open = door;
        if (open != null && driver().wakesFromSnapshot()) {
            Optional<Agent> agent = open.await(REDIAL_PATIENCE);
            if (agent.isPresent()) {
                adopt(agent.get());
            }
        }
    }

    UsageSampler usage() {
        return usage;
    }

    /// True while it is known to run, or to be paused.
    boolean isThere() {
        lock.lock();
        try {
            return state == SandboxState.RUNNING || state == SandboxState.PAUSED;
        } finally {
            lock.unlock();
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

    KeptCommands commands() {
        return commands;
    }

    /// False when its end has been decided.
    boolean isLiving() {
        return !isEnding();
    }

    /// The agent, for a call that needs the guest.
    Agent agent() throws InterruptedException {
        awaitTakenUp();
        AgentDoor open;
        lock.lockInterruptibly();
        try {
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

    // Asked by its commands.

    /// Waits until it is known which commands it holds.
    void awaitTakenUp() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (takingUp && endReason == null && state != SandboxState.PAUSED) {
                changed.await();
            }
            refuseUnless(Life.Request.USE, "used");
        } finally {
            lock.unlock();
        }
    }

    /// Waits while it is paused, unless it ends meanwhile.
    void awaitNotPaused() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (state == SandboxState.PAUSED && endReason == null) {
                changed.await();
            }
        } finally {
            lock.unlock();
        }
    }

    /// The agent that dials again after one that was lost; empty when the sandbox is gone.
    Optional<Agent> agentAgain() throws InterruptedException {
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

    private boolean isEnding() {
        lock.lock();
        try {
            return endReason != null;
        } finally {
            lock.unlock();
        }
    }

    EndReason reason() {
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

    private void log(System.Logger.Level level, String message) {
        System.getLogger(Keeper.class.getName()).log(level, "sandbox=" + entry.id() + " " + message);
    }
}
