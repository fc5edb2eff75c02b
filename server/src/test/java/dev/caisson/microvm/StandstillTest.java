package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Shell;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// A machine that is paused stands still with its clock, and knows the time when it goes on.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class StandstillTest {
    private static final Duration MINUTE = Duration.ofMinutes(1);
    /// Counts as fast as it can and says where it is.
    private static final String COUNTER = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; done";

    @RegisterExtension
    static final Installation CAISSON = new Installation().withMicrovms();

    @Test
    void nothingRunsMeanwhileAndTheClockIsRightAfterwards() throws Exception {
        var node = CAISSON.node();
        var shell = CAISSON.shell(Small.spec());
        var id = shell.id();
        try (var counter = node.run(id, CommandSpec.of("bash", "-c", COUNTER)); var sleeper = node.run(id, CommandSpec.of("bash", "-c", "sleep 2; echo slept"))) {
            assertThat(counter.next()).isInstanceOf(CommandEvent.Started.class);
            assertThat(sleeper.next()).isInstanceOf(CommandEvent.Started.class);
            Thread.sleep(300);
            assertThat(node.pause(id).state()).isEqualTo(SandboxState.PAUSED);
            Duration cpu = node.usage(id).cpu();
            Thread.sleep(3_000);
            assertThat(node.usage(id).cpu().minus(cpu)).as("CPU time of all that is behind the wall").isLessThan(Duration.ofMillis(100));
            long resumed = System.nanoTime();
            assertThat(node.resume(id, MINUTE).state()).isEqualTo(SandboxState.RUNNING);
            ClonesTest.clockIsRight(shell);
            long first = count(shell);
            Thread.sleep(200);
            assertThat(count(shell)).as("it counts on").isGreaterThan(first);
            assertThat(Shell.collect(sleeper).out()).isEqualTo("slept\n");
            assertThat(Duration.ofNanos(System.nanoTime() - resumed)).as("what was left of its sleep").isGreaterThan(Duration.ofMillis(800));
        }
    }

    private static long count(Shell shell) throws InterruptedException {
        // The file is empty for a moment with every number.
        String text = "";
        while (text.isBlank()) {
            text = shell.bash("cat /tmp/count").out();
        }
        return Long.parseLong(text.strip());
    }

    /// Each pause hits the machine somewhere else: in its own code, in a system call, while its disk is written.
    @Test
    void manyPausesHarmNothing() throws Exception {
        var node = CAISSON.node();
        var shell = CAISSON.shell(Small.spec());
        var scripts = List.of("while :; do /bin/true; done", "while :; do head -c 1M /dev/zero > /home/user/scratch; sync; done");
        for (String script : scripts) {
            node.run(shell.id(), CommandSpec.of("bash", "-c", script)).close();
        }
        for (int i = 0; i < 5; i++) {
            assertThat(shell.bash("head -c 3M /dev/urandom > /home/user/kept" + i + " && sha256sum kept" + i + " >> sums").status()).isZero();
            node.pause(shell.id());
            node.resume(shell.id(), MINUTE);
        }
        assertThat(node.commands(shell.id())).filteredOn(command -> command.result().isEmpty()).hasSize(2);
        assertThat(shell.bash("sha256sum --check --quiet sums && wc -l < sums").out()).isEqualTo("5\n");
    }

    @Test
    void theEndOfTheLeaseDeletesOrPauses() throws Exception {
        var node = CAISSON.node();
        var deleted = CAISSON.shell(Small.leased(Duration.ofSeconds(2))).id();
        var id = CAISSON.shell(Small.leased(Duration.ofSeconds(2)).withOnLeaseEnd(SandboxSpec.OnLeaseEnd.PAUSE)).id();
        long until = System.nanoTime() + Duration.ofSeconds(15).toNanos();
        while (node.get(id).state() != SandboxState.PAUSED || node.list().size() > 1) {
            assertThat(System.nanoTime()).isLessThan(until);
            Thread.sleep(50);
        }
        assertThat(node.receipt(deleted)).extracting(Receipt::reason, Receipt::leaks).containsExactly(EndReason.LEASE_OVER, 0L);
        node.resume(id, MINUTE);
        assertThat(new Shell(node, id).run("echo", "alive").out()).isEqualTo("alive\n");
        assertThat(node.delete(id)).extracting(Receipt::reason, Receipt::leaks).containsExactly(EndReason.DELETED, 0L);
    }
}
