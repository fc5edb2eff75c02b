package dev.caisson.node;

import dev.caisson.host.HostMemory;
import dev.caisson.runtime.Boot;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Machines made ahead of the kinds that were asked for lately, so that a create need not wait for one: a few of each, made one after the other while a processor is free for it.
///
/// ```
///   asked for ─▶ AWAKE ─▶ ADOPTED ─▶ nothing started for a while ─▶ REHEARSED          a create takes what has come furthest
/// ```
/// They are the first to go: when the machine's memory is short, when all slots are taken, when their kind has not been asked for a while.
/// Threads: safe for many. Cleanup: close ends what was not taken.
final class Standbys implements AutoCloseable {
    /// Kinds that are kept ready at a time; the one asked for longest ago goes first.
    private static final int MAX_KINDS = 4;
    /// One stands by for so long at most; a kind that was not asked for in this time is forgotten.
    private static final Duration LIFE = Duration.ofMinutes(10);
    /// What the deadman waits beyond that, so that it never ends one that is just being taken.
    private static final Duration MARGIN = Duration.ofMinutes(1);
    /// Between two looks at the memory and at those that have died or grown old.
    private static final Duration LOOK = Duration.ofSeconds(5);
    /// Since something was last started: whoever has just been given a sandbox wants the processors more.
    private static final Duration CALM = Duration.ofMillis(300);
    /// None is made that leaves less than this share of the machine's memory, and none is kept below half of it.
    private static final int FREE_SHARE = 4;

    private final Machine machine;
    private final Slots slots;
    private final int each;
    private final BooleanSupplier busy;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Map<Kind, Shelf> shelves = new LinkedHashMap<>(8, 0.75f, true);
    private final Deque<Standby> over = new ArrayDeque<>();
    private final ReentrantLock discarding = new ReentrantLock();
    private final Thread maker = Thread.ofVirtual().name("standbys").unstarted(this::keepReady);
    private long calmNanos;

    /// @param limits their machine has the same
    private record Kind(DriverName driver, String snapshot, Limits limits) {
        static Kind of(Standby.Plan plan) {
            return new Kind(plan.spec().driver().orElseThrow(), plan.snapshot(), plan.spec().limits());
        }
    }

    private static final class Shelf {
        final Map<Standby.Stage, Deque<Standby>> stages = new EnumMap<>(Standby.Stage.class);
        final Standby.Plan plan;
        long askedNanos;

        Shelf(Standby.Plan plan) {
            this.plan = plan;
            for (var stage : Standby.Stage.values()) {
                stages.put(stage, new ArrayDeque<>());
            }
        }

        Deque<Standby> at(Standby.Stage stage) {
            return Objects.requireNonNull(stages.get(stage));
        }

        int size() {
            return stages.values().stream().mapToInt(Deque::size).sum();
        }

        /// One that has come furthest.
        @Nullable Standby poll() {
            for (var stage : List.of(Standby.Stage.values()).reversed()) {
                Standby one = at(stage).pollFirst();
                if (one != null) {
                    return one;
                }
            }
            return null;
        }
    }

    /// What is to be done next.
    private sealed interface Work {
        Standby.Plan plan();

        record Make(Standby.Plan plan) implements Work {}

        /// @param one it is on no shelf meanwhile
        record Advance(Standby.Plan plan, Standby one, Standby.Stage to) implements Work {}
    }

    /// @param each how many of a kind; 0 for none at all
    /// @param busy true while as many sandboxes are being started as there are processors
    Standbys(Machine machine, Slots slots, int each, BooleanSupplier busy) {
        this.machine = machine;
        this.slots = slots;
        this.each = each;
        this.busy = busy;
    }

    void start() {
        if (each > 0) {
            maker.start();
        }
    }

    /// One for such a sandbox, from now on its caller's; and from now on that kind is kept ready.
    ///
    /// Empty when there is none: it is no error that none can be made.
    Optional<Standby> take(SandboxSpec spec, Boot.Content content) throws InterruptedException {
        if (each == 0) {
            return Optional.empty();
        }
        Optional<String> snapshot;
        try {
            snapshot = machine.drivers().of(spec).snapshot(spec.limits(), content);
        } catch (IOException _) {
            // Making one anew will say it better.
            return Optional.empty();
        }
        return snapshot.isEmpty() ? Optional.empty() : take(new Standby.Plan(bare(spec), content, snapshot.get()));
    }

    /// Of nobody: no variables, no labels, no tenant of its asker's.
    private static SandboxSpec bare(SandboxSpec spec) {
        return new SandboxSpec(spec.template(), spec.trust(), spec.tier(), spec.limits(), SandboxSpec.DEFAULT_LEASE, Map.of(), Map.of()).withDriver(spec.driver().orElseThrow());
    }

    private Optional<Standby> take(Standby.Plan plan) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            Shelf shelf = shelves.computeIfAbsent(Kind.of(plan), _ -> new Shelf(plan));
            shelf.askedNanos = machine.uptime().now();
            forgetOldest();
            for (Standby one = shelf.poll(); one != null; one = shelf.poll()) {
                if (isFresh(one)) {
                    return Optional.of(one);
                }
                over.add(one);
            }
            return Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    private void forgetOldest() {
        while (shelves.size() > MAX_KINDS) {
            var oldest = shelves.entrySet().iterator();
            end(oldest.next().getValue());
            oldest.remove();
        }
    }

    private void end(Shelf shelf) {
        shelf.stages.values().forEach(over::addAll);
    }

    /// How many are ready for anything.
    int count() {
        lock.lock();
        try {
            return shelves.values().stream().mapToInt(shelf -> shelf.at(Standby.Stage.REHEARSED).size()).sum();
        } finally {
            lock.unlock();
        }
    }

    /// Says that something has been started, or that this came to nothing.
    void started() {
        lock.lock();
        try {
            calmNanos = machine.uptime().in(CALM);
            changed.signalAll();
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

    /// Ends all that stand by now, and makes none until a kind is asked for again. False when there was none.
    boolean surrender() throws InterruptedException {
        boolean any;
        lock.lockInterruptibly();
        try {
            any = clear();
        } finally {
            lock.unlock();
        }
        discardOver();
        return any;
    }

    private boolean clear() {
        boolean any = shelves.values().stream().anyMatch(shelf -> shelf.size() > 0);
        shelves.values().forEach(this::end);
        shelves.clear();
        return any;
    }

    private void keepReady() {
        try {
            while (true) {
                setAside();
                discardOver();
                Work work = awaitWork();
                if (work != null) {
                    doing(work);
                }
            }
        } catch (InterruptedException _) {
            // It closes.
        }
    }

    /// Those that nobody is to take any more are over.
    private void setAside() throws InterruptedException {
        boolean isShort = isShort(new ByteSize(0), 2 * FREE_SHARE);
        lock.lockInterruptibly();
        try {
            long now = machine.uptime().now();
            shelves.values().removeIf(shelf -> {
                boolean isForgotten = isShort || now - shelf.askedNanos > LIFE.toNanos();
                shelf.stages.values().forEach(some -> some.removeIf(one -> (isForgotten || !isFresh(one)) && over.add(one)));
                return isForgotten;
            });
        } finally {
            lock.unlock();
        }
    }

    /// Ends them, one after the other, by one thread at a time. What an interruption, or the process's own end, leaves is still over for the next.
    private void discardOver() throws InterruptedException {
        discarding.lockInterruptibly();
        try {
            for (Standby first = firstOver(); first != null; first = firstOver()) {
                first.discard(machine, slots);
                removeOver(first);
            }
        } finally {
            discarding.unlock();
        }
    }

    private @Nullable Standby firstOver() {
        lock.lock();
        try {
            return over.peekFirst();
        } finally {
            lock.unlock();
        }
    }

    private void removeOver(Standby one) {
        lock.lock();
        try {
            over.remove(one);
        } finally {
            lock.unlock();
        }
    }

    private boolean isFresh(Standby one) {
        return one.isAlive(machine) && machine.uptime().until(one.deadlineNanos()).compareTo(MARGIN) > 0;
    }

    private static boolean isShort(ByteSize needed, int share) {
        try {
            var memory = HostMemory.now();
            return memory.available().bytes() - needed.bytes() < memory.total().bytes() / share;
        } catch (IOException e) {
            log("none is kept: " + e.getMessage());
            return true;
        }
    }

    /// Waits until something can be done, at most until the next look; null then.
    private @Nullable Work awaitWork() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long until = machine.uptime().in(LOOK);
            while (machine.uptime().now() < until && over.isEmpty()) {
                long agitated = calmNanos - machine.uptime().now();
                Work work = busy.getAsBoolean() ? null : work(agitated <= 0);
                if (work != null) {
                    return work;
                }
                long look = until - machine.uptime().now();
                long _ = changed.awaitNanos(agitated > 0 ? Math.min(agitated, look) : look);
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Work work(boolean calm) {
        for (Shelf shelf : shelves.values()) {
            if (shelf.size() < each && !isShort(shelf.plan.spec().limits().memory(), FREE_SHARE)) {
                return new Work.Make(shelf.plan);
            }
        }
        for (var stage : calm ? List.of(Standby.Stage.ADOPTED, Standby.Stage.REHEARSED) : List.of(Standby.Stage.ADOPTED)) {
            for (Shelf shelf : shelves.values()) {
                Standby one = shelf.at(stage.before()).pollFirst();
                if (one != null) {
                    return new Work.Advance(shelf.plan, one, stage);
                }
            }
        }
        return null;
    }

    private void doing(Work work) throws InterruptedException {
        try {
            switch (work) {
                case Work.Make(Standby.Plan plan) -> {
                    Standby made = Standby.make(machine, slots, plan, LIFE.plus(MARGIN));
                    made.door().onLost(this::wake);
                    keep(plan, made, Standby.Stage.AWAKE);
                }
                case Work.Advance(Standby.Plan plan, Standby one, Standby.Stage to) -> {
                    advance(one, to);
                    keep(plan, one, to);
                }
            }
        } catch (IOException | RuntimeException e) {
            log("no machine of template " + work.plan().spec().template() + " can be made ahead, until one is asked for again: " + e);
            lock.lockInterruptibly();
            try {
                Shelf shelf = shelves.remove(Kind.of(work.plan()));
                if (shelf != null) {
                    end(shelf);
                }
            } finally {
                lock.unlock();
            }
        }
    }

    private void advance(Standby one, Standby.Stage to) throws IOException, InterruptedException {
        boolean done = false;
        try {
            one.advance(machine, to);
            done = true;
        } finally {
            if (!done) {
                lock.lock();
                try {
                    over.add(one);
                } finally {
                    lock.unlock();
                }
            }
        }
    }

    private void keep(Standby.Plan plan, Standby one, Standby.Stage stage) {
        lock.lock();
        try {
            Shelf shelf = shelves.get(Kind.of(plan));
            if (shelf == null) {
                over.add(one);
            } else {
                shelf.at(stage).add(one);
            }
        } finally {
            lock.unlock();
        }
    }

    /// Not called twice.
    @Override
    public void close() {
        maker.interrupt();
        try {
            maker.join();
            lock.lock();
            try {
                clear();
            } finally {
                lock.unlock();
            }
            discardOver();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static void log(String message) {
        System.getLogger(Standbys.class.getName()).log(System.Logger.Level.WARNING, message);
    }
}
