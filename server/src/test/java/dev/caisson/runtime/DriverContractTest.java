package dev.caisson.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/// What every driver must do, with real kernels.
@TestInstance(Lifecycle.PER_CLASS)
public abstract class DriverContractTest {
    protected static final Limits LIMITS = new Limits(new Cpus(1000), ByteSize.mib(256), 64, ByteSize.mib(64), 1024);

    /// Both are there wherever a test runs.
    @SuppressWarnings("NullAway.Init")
    protected TestMachine machine;

    @SuppressWarnings("NullAway.Init")
    protected Driver driver;

    private Optional<String> unfit = Optional.empty();
    private HostSnapshot before;
    private final List<Booted> open = new ArrayList<>();
    private final Random random = new Random();
    private int slot;

    /// How the agent inside is spoken with.
    protected Voice greet(SocketChannel visitor, Limits limits) throws IOException, InterruptedException {
        return ScriptVoice.greet(visitor);
    }

    protected abstract Driver driver(TestMachine machine) throws IOException;

    @BeforeAll
    void openMachine() throws Exception {
        unfit = TestMachine.unfit();
        if (unfit.isEmpty()) {
            machine = TestMachine.open();
            driver = driver(machine);
            unfit = driver.unfit();
        }
        if (unfit.isEmpty()) {
            makeReady();
        }
    }

    /// What a driver does once, and takes its time for.
    protected void makeReady() throws Exception {}

    @AfterAll
    void closeMachine() throws Exception {
        if (machine != null) {
            machine.close();
        }
    }

    /// Each test says why it did not run: of a class that is given up as a whole, nobody would hear.
    @BeforeEach
    void look() throws IOException {
        assumeThat(unfit).as("skipped: %s", unfit.orElse("")).isEmpty();
        before = HostSnapshot.take(machine.home);
    }

    /// The leak checker: after each test nothing of it is left.
    @AfterEach
    void nothingIsLeft() throws Exception {
        if (unfit.isPresent()) {
            return;
        }
        for (Booted one : open) {
            one.close();
            release(one.boot);
        }
        open.clear();
        assertThat(HostSnapshot.take(machine.home).since(before).things()).isEmpty();
    }

    protected Boot plan(Limits limits) {
        var id = SandboxId.random(random);
        var trust = driver.tier() == Tier.CONTAINER ? Trust.TRUSTED : Trust.UNTRUSTED;
        var spec = new SandboxSpec(SandboxSpec.defaults().template(), trust, driver.tier(), limits, Duration.ofMinutes(1), Map.of(), Map.of());
        return new Boot(id, spec, machine.home.sandbox(id.value()), machine.home.cgroup(id.value()), machine.home.agentSocket(id.value()), slot++,
                machine.home.sandbox(id.value()).resolve("net"), Boot.Content.of(machine.image));
    }

    protected Booted boot(Limits limits) throws Exception {
        var booted = Booted.boot(driver, plan(limits), visitor -> greet(visitor, limits));
        open.add(booted);
        return booted;
    }

    protected List<Receipt.Check> release(Boot boot) throws InterruptedException {
        var checks = new ArrayList<Receipt.Check>();
        for (Resource resource : driver.resources(boot).reversed()) {
            checks.add(machine.reclaimer.release(resource));
        }
        return checks;
    }

    @Test
    void theAgentDialsHomeAndRunsCommands() throws Exception {
        var sandbox = boot(LIMITS);
        assertThat(sandbox.run("echo out; exit 3")).isEqualTo(new Voice.Answer("out\n", 3));
    }

    @Test
    void everythingItHoldsIsDeclared() throws Exception {
        var sandbox = boot(LIMITS);
        var fresh = HostSnapshot.take(machine.home).since(before);
        assertThat(fresh.uncovered(driver.resources(sandbox.boot))).isEmpty();
        assertThat(machine.cgroups.processes(sandbox.boot.cgroup())).isNotEmpty();
    }

    @Test
    void releasingInReverseLeavesNothingAndTwiceIsHarmless() throws Exception {
        var sandbox = boot(LIMITS);
        sandbox.run("touch /tmp/file; sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 & true");
        assertThat(release(sandbox.boot)).allMatch(Receipt.Check::gone);
        assertThat(release(sandbox.boot)).allMatch(Receipt.Check::gone);
    }

    /// The starting child dies at some moment of its work; the caller knows only its list of resources.
    @Test
    void releasingAfterADeathInTheMiddleLeavesNothing() throws Exception {
        for (int round = 0; round < 12; round++) {
            var limits = limitsOfDeath(round);
            var boot = plan(limits);
            long delay = random.nextLong(Duration.ofMillis(120).toNanos());
            var killer = Thread.ofPlatform().start(() -> killChildrenAfter(delay));
            try {
                Booted.boot(driver, boot, visitor -> greet(visitor, limits)).close();
            } catch (IOException e) {
                assertThat(e).hasMessageNotContaining("null");
            }
            killer.join();
            assertThat(release(boot)).allMatch(Receipt.Check::gone);
            // A mount namespace of a process that was killed lets go of its loop device a moment after the process is gone.
            long until = System.nanoTime() + Duration.ofSeconds(3).toNanos();
            while (!HostSnapshot.take(machine.home).since(before).things().isEmpty() && System.nanoTime() < until) {
                Thread.onSpinWait();
            }
            assertThat(HostSnapshot.take(machine.home).since(before).things()).isEmpty();
        }
    }

    /// For drivers that do more for some limits than for others.
    protected Limits limitsOfDeath(int round) {
        return LIMITS;
    }

    private static void killChildrenAfter(long nanos) {
        long until = System.nanoTime() + nanos;
        while (System.nanoTime() < until) {
            Thread.onSpinWait();
        }
        ProcessHandle.current().children().forEach(ProcessHandle::destroyForcibly);
    }

    @Test
    void releasingWhatWasNeverBootedIsHarmless() throws Exception {
        assertThat(release(plan(LIMITS))).allMatch(Receipt.Check::gone);
    }

    /// The bomb's children end by themselves. Nothing here kills by anything but its own process ids: the fake has no wall.
    @Test
    void forkBombsMeetTheLimitAndTheSandboxLives() throws Exception {
        var sandbox = boot(LIMITS);
        var bomb = sandbox.runAsUser("i=0; while [ $i -lt 200 ]; do sleep 3 >/dev/null 2>&1 & i=$((i+1)); done; true");
        assertThat(bomb.text()).contains("Cannot fork");
        var until = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!sandbox.runAsUser("/bin/echo alive").text().equals("alive\n")) {
            assertThat(System.nanoTime()).as("waited 30 s for the bomb's end").isLessThan(until);
        }
    }

    @Test
    void memoryHogsAreKilled() throws Exception {
        var sandbox = boot(LIMITS);
        // Piece by piece: all at once is refused by a kernel that has less.
        assertThat(killed(sandbox, "exec python3 -c 'x=[b\"x\" * (1<<20) for _ in range(400)]; print(len(x))' 2>&1")).isTrue();
        assertThat(machine.cgroups.oomKills(sandbox.boot.cgroup()) > 0).as("the host counted it").isNotEqualTo(killsInside());
    }

    /// True where the guest's own kernel kills for memory, before the host would.
    protected boolean killsInside() {
        return false;
    }

    /// Whether the line was killed, or the whole sandbox with it.
    private static boolean killed(Booted sandbox, String line) throws IOException, InterruptedException {
        try {
            return sandbox.run(line).status() == 137;
        } catch (IOException e) {
            return "the agent hung up".equals(e.getMessage());
        }
    }

    @Test
    void cpuIsBoundedByTheQuota() throws Exception {
        var sandbox = boot(new Limits(new Cpus(250), ByteSize.mib(256), 64, ByteSize.mib(64), 1024));
        var start = System.nanoTime();
        var used = machine.cgroups.usage(sandbox.boot.cgroup()).cpu();
        sandbox.run("timeout 2 sh -c 'while :; do :; done'");
        var spent = machine.cgroups.usage(sandbox.boot.cgroup()).cpu().minus(used);
        var wall = Duration.ofNanos(System.nanoTime() - start);
        assertThat(spent).isLessThan(wall.multipliedBy(33).dividedBy(100));
    }

    @Test
    void openFilesAreBounded() throws Exception {
        assumeThat(hasWall()).as("this driver sets no limits of single processes").isTrue();
        assertThat(boot(LIMITS).run("ulimit -n; ulimit -c").text()).isEqualTo("1024\n0\n");
    }

    /// Drivers without a root and limits of their own say so.
    protected boolean hasWall() {
        return true;
    }

    @Test
    void theDiskHoldsWhatWasAskedForAndNoMore() throws Exception {
        assumeThat(hasWall()).as("this driver has no disk").isTrue();
        var sandbox = boot(LIMITS);
        assertThat(sandbox.runAsUser("dd if=/dev/zero of=/home/user/a bs=1M count=62 2>&1").status()).isZero();
        var more = sandbox.runAsUser("dd if=/dev/zero of=/tmp/b bs=1M count=4 2>&1");
        assertThat(more.text()).contains("No space left on device");
        assertThat(sandbox.run("cat /var/tmp/x /home/user/a | wc -c; rm /tmp/b; echo ok").text()).endsWith("ok\n");
    }
}
