package dev.caisson.node;

import dev.caisson.guest.GuestEvent;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandResult.Outcome;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// One command as the node keeps it: its bounds, why we ended it if we did, and its result.
///
/// Threads: safe for many.
final class CommandWatch {
    private static final int SIGTERM = 15;
    private static final int SIGKILL = 9;
    /// Between SIGTERM and SIGKILL.
    private static final Duration MERCY = Duration.ofSeconds(2);
    /// Most commands are over before: they need no row in the journal.
    private static final Duration LASTING = Duration.ofMillis(50);

    private JournalEntry.StartedCommand command;
    private final int pid;
    private volatile CommandTraits traits;
    private final long oomKillsBefore;
    private final Signals signals;
    private final CountDownLatch ended = new CountDownLatch(1);
    private Alarms.@Nullable Alarm lasting;
    private volatile boolean remembered;
    private boolean paused;
    private @Nullable Outcome stoppedFor;
    private @Nullable CommandResult result;
    /// Bytes of each channel, once somebody has taken all of them to the end.
    private long @Nullable [] written;

    /// Where a command that lasts is written down, for a node that comes back.
    @FunctionalInterface
    interface Memory {
        void remember(JournalEntry.StartedCommand command) throws InterruptedException;
    }

    /// Sends a signal to the command's process group; false when there is no such command any more.
    @FunctionalInterface
    interface Signals {
        boolean send(int signal) throws InterruptedException;
    }

    CommandWatch(JournalEntry.StartedCommand command, int pid, CommandTraits traits, long oomKillsBefore, Signals signals) {
        this.command = command;
        this.pid = pid;
        this.traits = traits;
        this.oomKillsBefore = oomKillsBefore;
        this.signals = signals;
    }

    synchronized JournalEntry.StartedCommand command() {
        return command;
    }

    int pid() {
        return pid;
    }

    long outputLimitBytes() {
        return command().outputLimitBytes();
    }

    /// True when its output does not wait while nobody is attached.
    boolean drops() {
        return traits.drops();
    }

    /// Somebody has taken all of its output.
    synchronized void taken(long stdout, long stderr) {
        written = new long[] {stdout, stderr};
    }

    /// True when there is nothing from these offsets on, and never will be.
    synchronized boolean isAllTakenAt(long stdout, long stderr) {
        return result != null && (stdout < 0 || written != null && written[0] == stdout) && (stderr < 0 || written != null && written[1] == stderr);
    }

    synchronized Optional<CommandResult> result() {
        return Optional.ofNullable(result);
    }

    /// True when it has a row in the journal, or is about to.
    boolean isRemembered() {
        return remembered;
    }

    CommandInfo info(Instant started) {
        var told = traits;
        return new CommandInfo(command().id(), command().argv(), pid, started, result(), told.cwd(), told.env(), told.tag(), told.terminal());
    }

    /// Has the command remembered once it lasts, so that a short one costs no write and no thread, and ends it when its time is over. Asked again, does nothing.
    synchronized void keep(Alarms alarms, Uptime uptime, Memory memory) {
        if (result == null && lasting == null) {
            lasting = alarms.in(LASTING, "deadline-" + command.id(), () -> keep(uptime, memory));
        }
    }

    private void keep(Uptime uptime, Memory memory) {
        try {
            synchronized (this) {
                if (result != null) {
                    return;
                }
                remembered = true;
            }
            memory.remember(command());
            if (!endsInTime(uptime)) {
                end(Outcome.TIMED_OUT);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized boolean endsInTime(Uptime uptime) throws InterruptedException {
        while (result == null) {
            long left = uptime.until(command.deadlineNanos()).toNanos();
            if (paused) {
                wait();
            } else if (left <= 0) {
                return false;
            } else {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        }
        return true;
    }

    /// Its sandbox was frozen: its time stands still.
    synchronized void pause() {
        paused = true;
    }

    /// It goes on, after so long.
    synchronized void resume(long pausedForNanos) {
        command = command.later(pausedForNanos);
        paused = false;
        notifyAll();
    }

    /// SIGTERM, and SIGKILL 2 seconds later to one that does not heed it. The first reason stays.
    void stop(Outcome reason) {
        synchronized (this) {
            if (stoppedFor != null || result != null) {
                return;
            }
        }
        Thread.ofVirtual().name("stop-" + command().id()).start(() -> {
            try {
                end(reason);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private void end(Outcome reason) throws InterruptedException {
        synchronized (this) {
            if (stoppedFor != null || result != null) {
                return;
            }
            stoppedFor = reason;
        }
        if (signals.send(SIGTERM) && !ended.await(MERCY.toNanos(), TimeUnit.NANOSECONDS)) {
            signals.send(SIGKILL);
        }
    }

    /// A caller sent a signal that ends programs.
    synchronized void signalled(int signal) {
        if (stoppedFor == null && (signal == SIGTERM || signal == SIGKILL || signal == 2)) {
            stoppedFor = Outcome.KILLED;
        }
    }

    /// The guest says how it ended; what the host counted has the last word on memory. A kernel of its own kills before the host would: what that says counts
    /// where nobody else had a reason.
    ///
    /// @param oomKillsNow looked at only when the command may have been killed for memory
    synchronized CommandResult ended(GuestEvent.Exited exit, long oomKillsNow, long nowNanos) {
        if (result == null) {
            int status = exit.signal() > 0 ? 128 + exit.signal() : exit.status();
            boolean starved = exit.mayBeStarved() && oomKillsNow > oomKillsBefore;
            var outcome = starved ? Outcome.OUT_OF_MEMORY : outcome(exit);
            result = new CommandResult(outcome, outcome == Outcome.TIMED_OUT ? 124 : status, since(nowNanos), exit.cpu());
            over();
        }
        return result;
    }

    /// The sandbox went away under it.
    synchronized CommandResult lost(Outcome outcome, long nowNanos) {
        if (result == null) {
            result = new CommandResult(outcome, outcome == Outcome.TIMED_OUT ? 124 : 128 + SIGKILL, since(nowNanos), Duration.ZERO);
            over();
        }
        return result;
    }

    private synchronized void over() {
        traits = traits.ended();
        if (lasting != null) {
            lasting.cancel();
        }
        ended.countDown();
        notifyAll();
    }

    private Outcome outcome(GuestEvent.Exited exit) {
        if (stoppedFor == Outcome.KILLED) {
            // A caller's signal that the program caught and survived is none.
            return exit.signal() > 0 ? Outcome.KILLED : Outcome.EXITED;
        }
        if (stoppedFor != null) {
            return stoppedFor;
        }
        if (exit.starved() && exit.mayBeStarved()) {
            return Outcome.OUT_OF_MEMORY;
        }
        return exit.signal() > 0 ? Outcome.SIGNALED : Outcome.EXITED;
    }

    /// Of the wall: time in which it was paused counts.
    private synchronized Duration since(long nowNanos) {
        return Duration.ofNanos(Math.max(0, nowNanos - command.startedNanos()));
    }
}
