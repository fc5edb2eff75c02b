package dev.caisson.node;

import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// Has things done later, each on a virtual thread of its own that is started only then: most alarms are called off before, and those cost no thread.
///
/// Threads: safe for many. Cleanup: close calls off all that are left.
final class Alarms implements AutoCloseable {
    private final ScheduledThreadPoolExecutor clock = new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().daemon().name("alarms").factory());

    Alarms() {
        clock.setRemoveOnCancelPolicy(true);
    }

    /// An alarm that is set.
    @FunctionalInterface
    interface Alarm {
        /// Calls it off; nothing happens when it has gone off.
        void cancel();
    }

    /// @param name of the thread that does it
    Alarm in(Duration time, String name, Runnable action) {
        Future<?> set = clock.schedule(() -> Thread.ofVirtual().name(name).start(action), time.toNanos(), TimeUnit.NANOSECONDS);
        return () -> set.cancel(false);
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
