package dev.caisson.api.e2b;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.Files.FileWatch;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Watches whose events are kept until somebody asks for them.
///
/// Clients ask right after they did something, and expect to hear of it: whoever asks waits until what is on its way has come.
/// Bounds: so many watches a sandbox and in all, so many events a watch; one that nobody asks is dropped after a while.
/// Threads: safe for many; each watch has one of its own.
final class Watchers {
    static final int MAX_PER_SANDBOX = 64;
    static final int MAX = 4_096;
    static final int MAX_EVENTS = 10_000;
    private static final Duration IDLE = Duration.ofMinutes(10);
    /// How long nothing came before it is said that nothing happened; how long nothing more came after something did; and at most, when events never cease.
    private static final Duration FIRST = Duration.ofMillis(150);
    private static final Duration QUIET = Duration.ofMillis(25);
    private static final Duration AT_MOST = Duration.ofMillis(300);

    private final Map<String, Watcher> open = new ConcurrentHashMap<>();
    private final AtomicLong numbers = new AtomicLong();

    /// @param watch opens it
    /// @param form how an event is kept
    /// Errors: [RpcCode#RESOURCE_EXHAUSTED].
    synchronized String open(SandboxId sandbox, Supplier<FileWatch> watch, Function<FileEvent, String> form) {
        open.values().removeIf(Watcher::closedAsIdle);
        if (open.size() >= MAX || open.values().stream().filter(watcher -> watcher.sandbox.equals(sandbox)).count() >= MAX_PER_SANDBOX) {
            throw new RpcException(RpcCode.RESOURCE_EXHAUSTED, "there are too many watchers: remove some");
        }
        // Not secret: a watcher is only found together with its sandbox.
        String id = "w" + numbers.incrementAndGet();
        var watcher = new Watcher(sandbox, watch.get(), form);
        open.put(id, watcher);
        Thread.ofVirtual().name("watcher").start(() -> {
            watcher.collect();
            open.remove(id, watcher);
        });
        return id;
    }

    /// What happened since it was asked last.
    List<String> take(SandboxId sandbox, String id) throws InterruptedException {
        return find(sandbox, id).take();
    }

    void remove(SandboxId sandbox, String id) {
        find(sandbox, id).watch.close();
        open.remove(id);
    }

    private Watcher find(SandboxId sandbox, String id) {
        Watcher watcher = open.get(id);
        if (watcher == null || !watcher.sandbox.equals(sandbox)) {
            throw new RpcException(RpcCode.NOT_FOUND, "watcher with id " + Failure.shown(id) + " not found");
        }
        return watcher;
    }

    private static final class Watcher {
        final SandboxId sandbox;
        final FileWatch watch;
        private final Function<FileEvent, String> form;
        private final ReentrantLock lock = new ReentrantLock();
        private final Condition changed = lock.newCondition();
        private final Deque<String> events = new ArrayDeque<>();
        private long askedNanos = System.nanoTime();
        private @Nullable RpcException lost;
        /// How many have come since it was opened.
        private long heard;
        private boolean ended;

        Watcher(SandboxId sandbox, FileWatch watch, Function<FileEvent, String> form) {
            this.sandbox = sandbox;
            this.watch = watch;
            this.form = form;
        }

        void collect() {
            try (watch) {
                for (var event = watch.next(); event.isPresent(); event = watch.next()) {
                    keep(event.get());
                }
            } catch (InterruptedException | SandboxException _) {
                // The sandbox has ended, or this process does: whoever asks next learns that the watcher is gone.
            }
            lock.lock();
            ended = true;
            changed.signalAll();
            lock.unlock();
        }

        private void keep(FileEvent event) {
            try {
                String kept = form.apply(event);
                lock.lock();
                try {
                    if (events.size() >= MAX_EVENTS) {
                        lost = new RpcException(RpcCode.RESOURCE_EXHAUSTED, "more than " + MAX_EVENTS + " events were waiting, and some are lost: list the directory again");
                    } else {
                        events.add(kept);
                    }
                    heard++;
                    changed.signalAll();
                } finally {
                    lock.unlock();
                }
            } catch (RpcException e) {
                lock.lock();
                lost = e;
                heard++;
                changed.signalAll();
                lock.unlock();
            }
        }

        /// Waits for what has happened already and is on its way. Holds the lock.
        private void settle() throws InterruptedException {
            long start = System.nanoTime();
            long before = -1;
            while (heard != before && !ended && System.nanoTime() - start < AT_MOST.toNanos()) {
                before = heard;
                long left = (events.isEmpty() && lost == null ? FIRST : QUIET).toNanos();
                while (heard == before && !ended && left > 0) {
                    left = changed.awaitNanos(left);
                }
            }
        }

        List<String> take() throws InterruptedException {
            lock.lock();
            try {
                settle();
                askedNanos = System.nanoTime();
                RpcException told = lost;
                if (told != null && events.isEmpty()) {
                    lost = null;
                    throw told;
                }
                var taken = new ArrayList<>(events);
                events.clear();
                return taken;
            } finally {
                lock.unlock();
            }
        }

        boolean closedAsIdle() {
            lock.lock();
            try {
                boolean idle = System.nanoTime() - askedNanos > IDLE.toNanos();
                if (idle) {
                    watch.close();
                }
                return idle;
            } finally {
                lock.unlock();
            }
        }
    }
}
