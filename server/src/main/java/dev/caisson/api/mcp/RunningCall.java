package dev.caisson.api.mcp;

import dev.caisson.policy.Caller;
import org.jspecify.annotations.Nullable;

/// One request that is being worked on, and the way to end it early.
///
/// Threads: safe for many.
final class RunningCall {
    /// Where a tool finds it in what the SDK hands through.
    static final String KEY = "caisson.call";

    private final Caller caller;
    private boolean cancelled;
    private boolean over;
    private @Nullable Runnable ender;

    RunningCall(Caller caller) {
        this.caller = caller;
    }

    Caller caller() {
        return caller;
    }

    /// What is to be done when the call is cancelled: at once, when it has been already.
    void onCancel(Runnable action) {
        synchronized (this) {
            ender = action;
            if (!cancelled) {
                return;
            }
        }
        action.run();
    }

    /// Nobody waits for its answer any more. Harmless the second time.
    void cancel() {
        Runnable action;
        synchronized (this) {
            if (cancelled || over) {
                return;
            }
            cancelled = true;
            action = ender;
        }
        if (action != null) {
            action.run();
        }
    }

    synchronized boolean isCancelled() {
        return cancelled;
    }

    /// Its work is done; there is nothing left to end.
    synchronized void finished() {
        over = true;
        notifyAll();
    }

    /// Waits for the end of its work; false when it did not come in time.
    synchronized boolean awaitFinished(long millis) throws InterruptedException {
        long until = System.nanoTime() + millis * 1_000_000;
        for (long left = millis; !over && left > 0; left = (until - System.nanoTime()) / 1_000_000) {
            wait(left);
        }
        return over;
    }
}
