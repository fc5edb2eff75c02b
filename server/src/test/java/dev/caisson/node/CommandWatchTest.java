package dev.caisson.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.guest.GuestEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandResult.Outcome;
import dev.caisson.sandbox.CommandSpec;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/// What a command's end is called, by what the host knows and what the guest says.
class CommandWatchTest {
    private static final long KILLS_BEFORE = 3;
    private static final int SIGKILL = 9;

    private static CommandWatch watch() {
        return watch(_ -> true);
    }

    private static CommandWatch watch(CommandWatch.Signals signals) {
        var spec = CommandSpec.of("true");
        return new CommandWatch(new JournalEntry.StartedCommand(CommandId.of(1), spec.argv(), 0, Long.MAX_VALUE, 1), 7, CommandTraits.of(spec), KILLS_BEFORE, signals);
    }

    private static Outcome outcome(CommandWatch watch, int status, int signal, boolean starved, long killsNow) {
        return watch.ended(new GuestEvent.Exited(status, signal, Duration.ZERO, starved), killsNow, 1).outcome();
    }

    @Test
    void whatTheHostCountedIsMemoryWhoeverElseHadAReason() {
        assertThat(outcome(watch(), 0, SIGKILL, false, KILLS_BEFORE + 1)).isEqualTo(Outcome.OUT_OF_MEMORY);
        assertThat(outcome(watch(), 137, 0, false, KILLS_BEFORE + 1)).as("as a shell tells of its child").isEqualTo(Outcome.OUT_OF_MEMORY);
        assertThat(outcome(watch(), 1, 0, false, KILLS_BEFORE + 1)).isEqualTo(Outcome.EXITED);
        assertThat(outcome(watch(), 0, SIGKILL, false, KILLS_BEFORE)).isEqualTo(Outcome.SIGNALED);
        var stopped = watch();
        stopped.signalled(SIGKILL);
        assertThat(outcome(stopped, 0, SIGKILL, false, KILLS_BEFORE + 1)).isEqualTo(Outcome.OUT_OF_MEMORY);
    }

    @Test
    void whatTheGuestSaysOfMemoryCountsOnlyWhereNobodyHadAReason() throws InterruptedException {
        assertThat(outcome(watch(), 0, SIGKILL, true, KILLS_BEFORE)).isEqualTo(Outcome.OUT_OF_MEMORY);
        assertThat(outcome(watch(), 137, 0, true, KILLS_BEFORE)).isEqualTo(Outcome.OUT_OF_MEMORY);
        for (int status : List.of(0, 1)) {
            assertThat(outcome(watch(), status, 0, true, KILLS_BEFORE)).as("it returned %s", status).isEqualTo(Outcome.EXITED);
        }
        var killed = watch();
        killed.signalled(SIGKILL);
        assertThat(outcome(killed, 0, SIGKILL, true, KILLS_BEFORE)).isEqualTo(Outcome.KILLED);
        var sent = new CountDownLatch(1);
        var tooLong = watch(_ -> {
            sent.countDown();
            return false;
        });
        tooLong.stop(Outcome.TIMED_OUT);
        sent.await();
        assertThat(outcome(tooLong, 0, SIGKILL, true, KILLS_BEFORE)).isEqualTo(Outcome.TIMED_OUT);
    }
}
