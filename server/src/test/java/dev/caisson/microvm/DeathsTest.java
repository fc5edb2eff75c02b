package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.host.Cgroups;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandResult.Outcome;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import dev.caisson.testing.TestHome;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Whoever dies, and whenever: what was acknowledged lives on, what was not leaves nothing.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class DeathsTest {
    private static final Duration MINUTE = Duration.ofMinutes(1);
    private static final int ROUNDS = 8;
    private static final String COUNTER = "i=0; while sleep 0.05; do echo $((i++)); done";

    private static TestHome home;
    private static Servers servers;

    @BeforeAll
    static void open() throws Exception {
        home = TestHome.withGuest();
        servers = new Servers(home);
    }

    @AfterAll
    static void close() throws Exception {
        servers.close();
        var left = home.leftovers().afterTheNode(Duration.ofSeconds(5));
        home.close();
        assertThat(left).isEmpty();
    }

    @BeforeEach
    void run() throws Exception {
        for (Kind kind : new Kind[] {Kind.DEADMAN, Kind.NODE}) {
            if (!servers.isRunning(kind)) {
                servers.start(kind);
            }
        }
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        run();
        try (var node = servers.node()) {
            node.deleteAll();
            assertThat(home.leftovers().after(Duration.ofSeconds(5))).isEmpty();
            assertThat(node.receipts(1000)).allMatch(receipt -> receipt.leaks() == 0);
        }
    }

    private void killNode() throws Exception {
        servers.kill(Kind.NODE);
    }

    @Test
    void aKilledNodeCostsNobodyAnything() throws Exception {
        SandboxId running;
        SandboxId paused;
        CommandId counter;
        CommandId still;
        try (var node = servers.node()) {
            running = Shell.orSkip(node, Small.spec()).id();
            paused = Shell.orSkip(node, Small.spec()).id();
            counter = started(node, running, "for i in $(seq 0 59); do echo line $i; sleep 0.05; done");
            still = started(node, paused, COUNTER);
            node.pause(paused);
        }
        killNode();
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            assertThat(node.get(running).state()).isEqualTo(SandboxState.RUNNING);
            assertThat(node.get(paused).state()).isEqualTo(SandboxState.PAUSED);
            Duration cpu = node.usage(paused).cpu();
            try (var stream = node.attach(running, counter, 7, 0)) {
                var expected = new StringBuilder();
                for (int i = 0; i < 60; i++) {
                    expected.append("line ").append(i).append('\n');
                }
                assertThat(Shell.collect(stream).out()).as("from the offset on, without a gap").isEqualTo(expected.substring(7));
            }
            assertThat(node.usage(paused).cpu().minus(cpu)).as("CPU time of the paused one").isLessThan(Duration.ofMillis(200));
            assertThat(node.resume(paused, MINUTE).state()).isEqualTo(SandboxState.RUNNING);
            goesOn(node, paused, still, "after the pause");
            ClonesTest.clockIsRight(new Shell(node, paused));
            assertThat(node.delete(running)).extracting(Receipt::leaks, Receipt::reason).containsExactly(0L, EndReason.DELETED);
        }
    }

    /// Once it has said something.
    private static CommandId started(Sandboxes node, SandboxId id, String script) throws InterruptedException {
        try (var command = node.run(id, CommandSpec.of("bash", "-c", script))) {
            var started = (CommandEvent.Started) command.next();
            assertThat(command.next()).isInstanceOf(CommandEvent.Output.class);
            return started.id();
        }
    }

    /// Its command goes on, and its output can be taken up where it is.
    private static void goesOn(Sandboxes node, SandboxId id, CommandId command, String when) throws InterruptedException {
        try (var stream = node.attach(id, command, 0, 0)) {
            assertThat(stream.next()).as("%s: %s %s", when, id, command).isInstanceOf(CommandEvent.Started.class);
            assertThat(stream.next()).as("%s: %s %s", when, id, command).isInstanceOf(CommandEvent.Output.class);
        }
        assertThat(new Shell(node, id).run("echo", "alive").out()).as("%s: %s", when, id).isEqualTo("alive\n");
    }

    @Test
    void aKilledVmmEndsItsSandboxAlone() throws Exception {
        try (var node = servers.node()) {
            var id = Shell.orSkip(node, Small.spec()).id();
            var other = Shell.orSkip(node, Small.spec());
            try (var sleeping = node.run(id, CommandSpec.of("sleep", "300"))) {
                sleeping.next();
                long began = System.nanoTime();
                killVmm(id);
                assertThat(Shell.collect(sleeping).result().outcome()).isEqualTo(Outcome.SANDBOX_GONE);
                var receipt = receipt(node, id);
                assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(5));
                assertThat(receipt).extracting(Receipt::reason, Receipt::by, Receipt::leaks).containsExactly(EndReason.GUEST_FAILED, "keeper", 0L);
            }
            assertThat(other.run("echo", "alive").out()).isEqualTo("alive\n");
            // One that is paused is missed when somebody wants it again.
            node.pause(other.id());
            killVmm(other.id());
            try {
                node.resume(other.id(), MINUTE);
            } catch (SandboxException _) {
                // It says so, or it finds out a moment later.
            }
            assertThat(node.delete(other.id()).leaks()).isZero();
        }
    }

    /// Ends every process of its cgroup, root's helpers too.
    private static void killVmm(SandboxId id) {
        for (long pid : Cgroups.detect().processes(home.home().cgroup(id.value()))) {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        }
    }

    private static Receipt receipt(Sandboxes node, SandboxId id) throws InterruptedException {
        long until = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (true) {
            try {
                return node.receipt(id);
            } catch (SandboxException e) {
                if (System.nanoTime() > until) {
                    throw e;
                }
                Thread.sleep(20);
            }
        }
    }

    @Test
    void theLeaseEndsWithoutANodeAndWithoutADeadman() throws Exception {
        SandboxId orphan;
        try (var node = servers.node()) {
            orphan = Shell.orSkip(node, Small.leased(Duration.ofSeconds(3))).id();
        }
        killNode();
        assertThat(home.leftovers().after(Duration.ofSeconds(20))).isEmpty();
        servers.awaitLog(Kind.DEADMAN, "sandbox=" + orphan + " ended", Duration.ofSeconds(10));
        servers.kill(Kind.DEADMAN);
        servers.start(Kind.NODE);
        try (var node = servers.node()) {
            assertThat(node.receipt(orphan)).extracting(Receipt::by, Receipt::reason, Receipt::leaks).containsExactly("deadman", EndReason.LEASE_OVER, 0L);
            var kept = Shell.orSkip(node, Small.leased(Duration.ofSeconds(2))).id();
            assertThat(home.leftovers().after(Duration.ofSeconds(10))).isEmpty();
            assertThat(receipt(node, kept)).extracting(Receipt::by, Receipt::reason, Receipt::leaks).containsExactly("keeper", EndReason.LEASE_OVER, 0L);
        }
    }

    /// Each death finds the template's machine at another step: being made, booting, warming up, being frozen.
    @Test
    void aDeathWhileASnapshotIsMadeLeavesNoMachine() throws Exception {
        var random = new Random(4711);
        for (int round = 0; round < 4; round++) {
            removeSnapshots();
            var asking = asking(servers);
            awaitTemplateMachine();
            Thread.sleep(1_200L * round + random.nextInt(600));
            killNode();
            asking.interrupt();
            asking.join();
            servers.start(Kind.NODE);
            assertThat(home.leftovers().now()).as("round %s", round).isEmpty();
        }
        try (var node = servers.node()) {
            assertThat(Shell.orSkip(node, Small.spec()).run("echo", "made").out()).isEqualTo("made\n");
        }
        try (var kept = Files.list(home.home().snapshots())) {
            assertThat(kept).as("what was half made has gone").hasSize(1);
        }
    }

    /// The node has it in memory as well, but that node is dead before it is asked again.
    private void removeSnapshots() throws Exception {
        killNode();
        if (Files.isDirectory(home.home().snapshots())) {
            try (var files = Files.walk(home.home().snapshots())) {
                for (var file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
        servers.start(Kind.NODE);
    }

    private static Thread asking(Servers servers) {
        return Thread.ofPlatform().start(() -> {
            try (var node = servers.node()) {
                node.create(Small.spec());
            } catch (SandboxException _) {
                // The node was killed under us.
            }
        });
    }

    private static void awaitTemplateMachine() throws IOException, InterruptedException {
        long until = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (System.nanoTime() < until) {
            if (home.leftovers().now().stream().anyMatch(one -> one.startsWith("directory ") && one.contains("/run/s/t"))) {
                return;
            }
            Thread.sleep(5);
        }
        throw new AssertionError("no template's machine has been seen: " + servers.log(Kind.NODE));
    }

    @Test
    void deathsAtRandomMomentsLeaveNothingAndLoseNobody() throws Exception {
        var random = new Random(815);
        Map<SandboxId, CommandId> living = new ConcurrentHashMap<>();
        try (var node = servers.node()) {
            // So that no round is spent on the snapshot.
            node.delete(Shell.orSkip(node, Small.spec()).id());
        }
        for (int round = 0; round < ROUNDS; round++) {
            var worker = work(living);
            Thread.sleep(random.nextInt(1_200));
            if (round % 3 != 0) {
                servers.kill(Kind.DEADMAN);
            }
            if (round % 3 != 1) {
                killNode();
                worker.interrupt();
            }
            worker.join();
            run();
            check(living, "round " + round);
        }
    }

    /// One owner at work: makes a sandbox, starts a command that goes on, deletes an older one.
    private static Thread work(Map<SandboxId, CommandId> living) {
        return Thread.ofPlatform().start(() -> {
            try (var node = servers.node()) {
                for (int i = 0; i < 2; i++) {
                    if (living.size() > 1) {
                        var oldest = living.keySet().iterator().next();
                        // From the moment it is asked, either outcome is right.
                        living.remove(oldest);
                        node.delete(oldest);
                    }
                    SandboxId id = node.create(Small.spec()).id();
                    living.put(id, started(node, id, COUNTER));
                }
            } catch (SandboxException | InterruptedException _) {
                // The node was killed under us: what was acknowledged so far counts.
            }
        });
    }

    private static void check(Map<SandboxId, CommandId> living, String when) throws Exception {
        try (var node = servers.node()) {
            var there = new ArrayList<SandboxId>();
            node.list().forEach(info -> there.add(info.id()));
            assertThat(there).as("%s: living sandboxes", when).containsAll(living.keySet());
            for (var entry : living.entrySet()) {
                goesOn(node, entry.getKey(), entry.getValue(), when);
            }
            for (SandboxId id : there) {
                if (!living.containsKey(id)) {
                    node.delete(id);
                }
            }
            var foreign = new TreeSet<String>();
            home.leftovers().now(living.size()).stream().filter(left -> living.keySet().stream().noneMatch(id -> left.contains(id.value()))).forEach(foreign::add);
            assertThat(foreign).as("%s: what belongs to no living sandbox", when).isEmpty();
        }
    }
}
