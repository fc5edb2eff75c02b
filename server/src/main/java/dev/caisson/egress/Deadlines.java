package dev.caisson.egress;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// Cuts what takes too long, whatever it is blocked in: one thread looks at all of them a few times a second.
///
/// Threads: safe for many.
/// Cleanup: close ends the thread; nothing is cut any more.
final class Deadlines implements AutoCloseable {
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    /// What has a deadline.
    interface Dated {
        /// In the time of [System#nanoTime].
        long deadline();

        /// The deadline has passed; called from the looking thread, must not block.
        void late();
    }

    private final RelayTimes times;
    private final Set<Dated> dated = ConcurrentHashMap.newKeySet();
    private final Thread looking;
    private volatile boolean closed;

    Deadlines(RelayTimes times) {
        this.times = times;
        looking = Thread.ofPlatform().daemon().name("deadlines").start(this::look);
    }

    RelayTimes times() {
        return times;
    }

    void add(Dated one) {
        dated.add(one);
    }

    /// Until it is closed, `late` is called once the time is over.
    Span within(Duration longest, Runnable late) {
        long deadline = System.nanoTime() + longest.toNanos();
        var one = new Dated() {
            @Override
            public long deadline() {
                return deadline;
            }

            @Override
            public void late() {
                late.run();
            }
        };
        add(one);
        return () -> remove(one);
    }

    /// A time in which something has to be done.
    interface Span extends AutoCloseable {
        @Override
        void close();
    }

    void remove(Dated one) {
        dated.remove(one);
    }

    private void look() {
        while (!closed) {
            LockSupport.parkNanos(LOOK_NANOS);
            long now = System.nanoTime();
            for (Dated one : dated) {
                if (now - one.deadline() > 0) {
                    dated.remove(one);
                    one.late();
                }
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(looking);
    }
}
