package dev.caisson.api.e2b;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Ends what a thread waits for when a time is over. The thread itself is not interrupted: an interrupt in the middle of a write closes the link that all share.
///
/// Cleanup: close; nothing is ended after it.
final class Deadline implements AutoCloseable {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition ended = lock.newCondition();
    private boolean over;
    private boolean closed;

    /// @param after empty means never
    /// @param end called at most once
    Deadline(Optional<Duration> after, Runnable end) {
        after.ifPresent(time -> Thread.ofVirtual().name("deadline").start(() -> keep(time, end)));
    }

    private void keep(Duration time, Runnable end) {
        lock.lock();
        try {
            long left = time.toNanos();
            while (!closed && left > 0) {
                left = ended.awaitNanos(left);
            }
            if (!closed) {
                over = true;
                end.run();
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
        } finally {
            lock.unlock();
        }
    }
}
