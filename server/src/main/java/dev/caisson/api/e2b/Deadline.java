package dev.caisson.api.e2b;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Interrupts the thread that made it when a time is over. Close it before that thread does anything else; an interrupt of ours does not outlive it.
final class Deadline implements AutoCloseable {
    private final Thread owner = Thread.currentThread();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition ended = lock.newCondition();
    private boolean over;
    private boolean closed;

    /// @param after empty means never
    Deadline(Optional<Duration> after) {
        after.ifPresent(time -> Thread.ofVirtual().name("deadline").start(() -> keep(time)));
    }

    private void keep(Duration time) {
        lock.lock();
        try {
            long left = time.toNanos();
            while (!closed && left > 0) {
                left = ended.awaitNanos(left);
            }
            if (!closed) {
                over = true;
                owner.interrupt();
            }
        } catch (InterruptedException _) {
            // Nobody but the end of the process interrupts this thread.
        } finally {
            lock.unlock();
        }
    }

    boolean isOver() {
        lock.lock();
        try {
            return over;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            ended.signal();
            if (over) {
                Thread.interrupted();
            }
        } finally {
            lock.unlock();
        }
    }
}
