package dev.caisson.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import dev.caisson.testing.TestHome;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A paused sandbox stands still, keeps what it has, is not immortal, and goes on as if nothing had been.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class PauseTest {
    private static final Duration MINUTE = Duration.ofMinutes(1);
    /// Counts as fast as it can and says where it is.
    private static final String COUNTER = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; done";

    /// gVisor's own kernel looks at its clock now and then.
    private static final Duration IDLE = Duration.ofMillis(50);

    private TestHome home;
    private Servers servers;

    @BeforeEach
    void open() throws Exception {
        home = TestHome.make();
        servers = new Servers(home);
    }

    @AfterEach
    void close() throws Exception {
        if (servers.isRunning(Kind.NODE)) {
            try (var node = servers.node()) {
                node.deleteAll();
            }
        }
        try {
            assertThat(home.leftovers().after(Duration.ofSeconds(5))).isEmpty();
        } finally {
            servers.close();
            home.close();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void nothingRunsWhileItIsPausedAndAllOfItGoesOn(Tier tier) throws Exception {
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            var id = node.create(Shell.spec(tier)).id();
            var shell = new Shell(node, id);
            shell.bash("echo kept > /home/user/file");
            try (var counter = node.run(id, CommandSpec.of("bash", "-c", COUNTER))) {
                assertThat(counter.next()).isInstanceOf(CommandEvent.Started.class);
                Thread.sleep(300);
                SandboxInfo paused = node.pause(id);
                assertThat(paused.state()).isEqualTo(SandboxState.PAUSED);
                assertThat(node.list()).singleElement().satisfies(one -> assertThat(one.state()).isEqualTo(SandboxState.PAUSED));
                Duration cpu = node.usage(id).cpu();
                Thread.sleep(1_000);
                assertThat(node.usage(id).cpu().minus(cpu)).as("CPU time of all that is behind the wall").isLessThan(IDLE);
                assertThat(node.resume(id, MINUTE).state()).isEqualTo(SandboxState.RUNNING);
                assertThat(shell.bash("cat /home/user/file").out()).isEqualTo("kept\n");
                long first = count(shell);
                Thread.sleep(200);
                assertThat(count(shell)).as("it counts on").isGreaterThan(first);
            }
        }
    }

    /// Each pause and each resume hits the programs somewhere else: in their own code, in a system call, while one begins or ends.
    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void manyPausesHarmNothingThatRuns(Tier tier) throws Exception {
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            var id = node.create(Shell.spec(tier)).id();
            var scripts = List.of(COUNTER, "while :; do /bin/true; done", "while :; do sleep 0.01; done");
            for (int i = 0; i < 6; i++) {
                node.run(id, CommandSpec.of("bash", "-c", scripts.get(i % scripts.size()))).close();
            }
            for (int i = 0; i < 40; i++) {
                node.pause(id);
                node.resume(id, MINUTE);
                Thread.sleep(i % 10);
            }
            assertThat(node.commands(id)).hasSize(6).allSatisfy(command -> assertThat(command.result()).isEmpty());
            assertThat(new Shell(node, id).run("echo", "alive").out()).isEqualTo("alive\n");
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

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void whatNeedsTheGuestIsRefusedAndItsEndIsNot(Tier tier) throws Exception {
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            var id = node.create(Shell.spec(tier)).id();
            refused(() -> node.resume(id, MINUTE), "it is not paused");
            node.pause(id);
            refused(() -> node.pause(id), "it is paused already");
            refused(() -> node.run(id, CommandSpec.of("true")), "it is paused");
            refused(() -> node.commands(id), "it is paused");
            refused(() -> node.files(id).stat("/", ""), "it is paused");
            refused(() -> node.dial(id, 80), "it is paused");
            refused(() -> node.renew(id, MINUTE), "it is paused");
            assertThatThrownBy(() -> node.resume(id, Duration.ofDays(2))).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.OUT_OF_RANGE));
            var receipt = node.delete(id);
            assertThat(receipt.reason()).isEqualTo(EndReason.DELETED);
            assertThat(receipt.leaks()).isZero();
        }
    }

    private static void refused(ThrowingCallable call, String says) {
        assertThatThrownBy(call).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.WRONG_STATE);
            assertThat(e.failure().message()).contains(says);
        });
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void leaseAndTimeoutsStandStill(Tier tier) throws Exception {
        servers.start(Kind.DEADMAN);
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            var id = node.create(lease(tier, Duration.ofSeconds(4))).id();
            var shell = new Shell(node, id);
            var short3 = new CommandSpec(List.of("sleep", "60"), Map.of(), "", "", Optional.empty(), Duration.ofSeconds(3), ByteSize.mib(1), false);
            try (var command = node.run(id, short3)) {
                assertThat(command.next()).isInstanceOf(CommandEvent.Started.class);
                var paused = node.pause(id);
                assertThat(Duration.between(Instant.now(), paused.expires())).isGreaterThan(Duration.ofHours(23));
                // Past the lease, the command's timeout, and what the deadman waits beyond the lease.
                Thread.sleep(10_500);
                var resumed = node.resume(id, MINUTE);
                assertThat(Duration.between(Instant.now(), resumed.expires())).isBetween(Duration.ofSeconds(55), Duration.ofSeconds(61));
                long before = System.nanoTime();
                assertThat(shell.run("echo", "alive").out()).isEqualTo("alive\n");
                var end = Shell.collect(command);
                assertThat(end.result()).as(tier + ": " + end.result()).extracting(CommandResult::outcome).isEqualTo(CommandResult.Outcome.TIMED_OUT);
                assertThat(Duration.ofNanos(System.nanoTime() - before)).as("what was left of its time").isGreaterThan(Duration.ofMillis(1_000));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aRestartedNodeKeepsItPaused(Tier tier) throws Exception {
        servers.start(Kind.DEADMAN);
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            var id = node.create(Shell.spec(tier)).id();
            try (var command = node.run(id, CommandSpec.of("bash", "-c", COUNTER))) {
                assertThat(command.next()).isInstanceOf(CommandEvent.Started.class);
                // Long enough to be written down.
                Thread.sleep(500);
                node.pause(id);
            }
            servers.kill(Kind.NODE);
            Thread.sleep(500);
            servers.start(Kind.NODE);
            assertThat(node.get(id).state()).isEqualTo(SandboxState.PAUSED);
            Duration cpu = node.usage(id).cpu();
            Thread.sleep(500);
            assertThat(node.usage(id).cpu().minus(cpu)).isLessThan(IDLE);
            refused(() -> node.commands(id), "it is paused");
            node.resume(id, MINUTE);
            assertThat(node.commands(id)).hasSize(1);
            assertThat(count(new Shell(node, id))).isPositive();
            node.pause(id);
            servers.kill(Kind.NODE);
            servers.start(Kind.NODE);
            assertThat(node.delete(id).leaks()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void noPauseIsForEver(Tier tier) throws Exception {
        servers.start(Kind.DEADMAN);
        servers.start(Kind.NODE, "--max-paused-seconds", "2");
        try (var node = servers.node()) {
            var kept = node.create(Shell.spec(tier)).id();
            node.pause(kept);
            assertThat(home.leftovers().after(Duration.ofSeconds(10))).isEmpty();
            // Waits for the receipt, which comes after what it tells of; that its end was the lease's shows that this was not what ended it.
            assertThat(node.delete(kept).reason()).isEqualTo(EndReason.LEASE_OVER);
            assertThat(node.receipt(kept).by()).isEqualTo("keeper");

            var orphan = node.create(Shell.spec(tier)).id();
            node.pause(orphan);
            servers.kill(Kind.NODE);
            assertThat(home.leftovers().after(Duration.ofSeconds(20))).isEmpty();
            servers.awaitLog(Kind.DEADMAN, "sandbox=" + orphan + " ended", Duration.ofSeconds(10));
            servers.start(Kind.NODE);
            assertThat(node.receipt(orphan).by()).isEqualTo("deadman");
            assertThat(node.receipt(orphan).leaks()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theEndOfTheLeaseMayPauseItEvenWithoutANode(Tier tier) throws Exception {
        servers.start(Kind.DEADMAN);
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            var id = node.create(lease(tier, Duration.ofSeconds(2)).withOnLeaseEnd(SandboxSpec.OnLeaseEnd.PAUSE)).id();
            long until = System.nanoTime() + Duration.ofSeconds(10).toNanos();
            while (node.get(id).state() != SandboxState.PAUSED) {
                assertThat(System.nanoTime()).isLessThan(until);
                Thread.sleep(50);
            }
            node.resume(id, Duration.ofSeconds(2));
            assertThat(new Shell(node, id).run("echo", "alive").out()).isEqualTo("alive\n");
            servers.kill(Kind.NODE);
            servers.awaitLog(Kind.DEADMAN, "sandbox=" + id + " paused", Duration.ofSeconds(20));
            servers.start(Kind.NODE);
            assertThat(node.get(id).state()).isEqualTo(SandboxState.PAUSED);
            node.resume(id, MINUTE);
            assertThat(new Shell(node, id).run("echo", "alive").out()).isEqualTo("alive\n");
        }
    }

    private static SandboxSpec lease(Tier tier, Duration lease) {
        var spec = Shell.spec(tier);
        return new SandboxSpec(spec.template(), spec.trust(), spec.tier(), spec.limits(), lease, Map.of(), Map.of());
    }
}
