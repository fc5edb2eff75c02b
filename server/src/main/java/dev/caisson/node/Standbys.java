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
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Machines made ahead of the kinds that were asked for lately, so that a create need not wait for one: a few of each, made while nothing is being started, one after the other.
///
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
    private final BooleanSupplier starting;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Map<Kind, Shelf> shelves = new LinkedHashMap<>(8, 0.75f, true);
    private final Deque<Standby> over = new ArrayDeque<>();
    private final ReentrantLock discarding = new ReentrantLock();
    private final Thread maker = Thread.ofVirtual().name("standbys").unstarted(this::keepReady);
    private long calmNanos;
    private boolean closed;

    /// @param limits their machine has the same
    private record Kind(DriverName driver, String snapshot, Limits limits) {
        static Kind of(Standby.Plan plan) {
            return new Kind(plan.spec().driver().orElseThrow(), plan.snapshot(), plan.spec().limits());
        }
    }

    private static final class Shelf {
        final Deque<Standby> ready = new ArrayDeque<>();
        final Standby.Plan plan;
        long askedNanos;

        Shelf(Standby.Plan plan) {
            this.plan = plan;
        }
    }

    /// @param each how many of a kind; 0 for none at all
    /// @param starting true while sandboxes are being started
    Standbys(Machine machine, Slots slots, int each, BooleanSupplier starting) {
        this.machine = machine;
        this.slots = slots;
        this.each = each;
        this.starting = starting;
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
            while (!shelf.ready.isEmpty()) {
                Standby one = shelf.ready.removeFirst();
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
            over.addAll(oldest.next().getValue().ready);
            oldest.remove();
        }
    }

    /// How many there are.
    int count() {
        lock.lock();
        try {
            return shelves.values().stream().mapToInt(shelf -> shelf.ready.size()).sum();
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
        boolean any = shelves.values().stream().anyMatch(shelf -> !shelf.ready.isEmpty());
        shelves.values().forEach(shelf -> over.addAll(shelf.ready));
        shelves.clear();
        return any;
    }

    private void keepReady() {
        try {
            while (true) {
                setAside();
                discardOver();
                Standby.Plan wanted = awaitWant();
                if (wanted != null) {
                    make(wanted);
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
                shelf.ready.removeIf(one -> (isForgotten || !isFresh(one)) && over.add(one));
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
        return one.isFit(machine) && machine.uptime().until(one.deadlineNanos()).compareTo(MARGIN) > 0;
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

    /// Waits until one can be made, at most until the next look; null then.
    private Standby.@Nullable Plan awaitWant() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long until = machine.uptime().in(LOOK);
            while (machine.uptime().now() < until && over.isEmpty()) {
                long agitated = calmNanos - machine.uptime().now();
                if (agitated <= 0 && !starting.getAsBoolean()) {
                    for (Shelf shelf : shelves.values()) {
                        if (shelf.ready.size() < each && !isShort(shelf.plan.spec().limits().memory(), FREE_SHARE)) {
                            return shelf.plan;
                        }
                    }
                }
                long look = until - machine.uptime().now();
                long _ = changed.awaitNanos(agitated > 0 ? Math.min(agitated, look) : look);
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void make(Standby.Plan plan) throws InterruptedException {
        try {
            keep(plan, Standby.make(machine, slots, plan, LIFE.plus(MARGIN)));
        } catch (IOException | SandboxException e) {
            log("no machine of template " + plan.spec().template() + " can be made ahead, until one is asked for again: " + e.getMessage());
            lock.lockInterruptibly();
            try {
                Shelf shelf = shelves.remove(Kind.of(plan));
                if (shelf != null) {
                    over.addAll(shelf.ready);
                }
            } finally {
                lock.unlock();
            }
        }
    }

    private void keep(Standby.Plan plan, Standby made) {
        made.door().onLost(this::wake);
        lock.lock();
        try {
            Shelf shelf = shelves.get(Kind.of(plan));
            if (shelf == null || closed) {
                over.add(made);
            } else {
                shelf.ready.add(made);
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
                closed = true;
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
