package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.sandbox.ByteSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What [Cgroups] promises, on this machine's own kernel and whichever version it has; `deploy/cgroups-v2.bash` runs it on one with version 2.
class CgroupsTest {
    private static final Duration BOUND = Duration.ofSeconds(60);
    private static final ByteSize MEMORY = ByteSize.mib(64);
    private static final String SPIN = "while :; do :; done";

    private Home home;
    private Cgroups cgroups;
    private String name;

    @BeforeEach
    void open() throws IOException {
        assumeThat(HostFacts.runningAsRoot()).as("skipped: needs root").isTrue();
        home = new Home(Files.createTempDirectory(Path.of("/tmp"), "ch"));
        cgroups = Cgroups.detect();
        name = home.cgroup("box");
        cgroups.create(name, new CgroupLimits(1000, MEMORY, 30));
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        if (home != null) {
            assertThat(cgroups.kill(name, BOUND)).isTrue();
            cgroups.remove(name);
            assertThat(cgroups.exists(name)).isFalse();
            assertThat(cgroups.children(home.cgroupParent())).isEmpty();
            cgroups.remove(home.cgroupParent());
            Trees.remove(home.path());
        }
    }

    private Process start(String script) throws IOException {
        return new Child(List.of("/bin/sh", "-c", script), Map.of("PATH", "/usr/bin:/bin"), home.path().resolve("out"), cgroups.joinFiles(name)).start();
    }

    @Test
    void itsProcessesAndChildrenAreKnown() throws Exception {
        assertThat(cgroups.processes(name)).isEmpty();
        var child = start("exec sleep 100");
        assertThat(cgroups.children(home.cgroupParent())).containsExactly(name);
        await(() -> cgroups.processes(name).equals(List.of((int) child.pid())));
        assertThat(cgroups.kill(name, BOUND)).isTrue();
        assertThat(cgroups.processes(name)).isEmpty();
        assertThat(child.waitFor()).isEqualTo(137);
    }

    @Test
    void whatIsInUseIsNotRemovedInPassing() throws Exception {
        start("exec sleep 100");
        await(() -> !cgroups.processes(name).isEmpty());
        cgroups.removeUnused(name);
        cgroups.removeUnused(home.cgroupParent());
        assertThat(cgroups.processes(name)).hasSize(1);
        assertThat(cgroups.kill(name, BOUND)).isTrue();
        await(() -> {
            cgroups.removeUnused(name);
            return !cgroups.exists(name);
        });
        cgroups.removeUnused(home.cgroupParent());
        assertThat(cgroups.exists(home.cgroupParent())).isFalse();
    }

    @Test
    void nothingRunsWhileItIsFrozenAndTheDeadStayDead() throws Exception {
        start(SPIN);
        await(() -> cgroups.usage(name).cpu().compareTo(Duration.ofMillis(50)) > 0);
        cgroups.freeze(name, BOUND);
        cgroups.freeze(name, BOUND);
        var frozen = cgroups.usage(name).cpu();
        Thread.sleep(200);
        assertThat(cgroups.usage(name).cpu()).isEqualTo(frozen);
        cgroups.thaw(name);
        cgroups.thaw(name);
        await(() -> cgroups.usage(name).cpu().compareTo(frozen) > 0);
        cgroups.freeze(name, BOUND);
        assertThat(cgroups.kill(name, BOUND)).as("a frozen one is killed too").isTrue();
    }

    @Test
    void cpuTimeIsHeldToItsShare() throws Exception {
        start(SPIN + " & " + SPIN);
        cgroups.limitCpu(name, 200);
        // What was granted before is used up within two periods of 100 ms.
        Thread.sleep(250);
        long began = System.nanoTime();
        var before = cgroups.usage(name).cpu();
        Thread.sleep(1000);
        var used = cgroups.usage(name).cpu().minus(before);
        double share = (double) used.toNanos() / (System.nanoTime() - began);
        assertThat(share).as("of one CPU, where 0.2 is allowed").isLessThan(0.35);
    }

    @Test
    void memoryAboveTheLimitIsAKillThatIsCounted() throws Exception {
        assertThat(cgroups.oomKills(name)).isZero();
        var hog = start("head -c 200000000 /dev/zero | tail -c 150000000 > /dev/null");
        assertThat(hog.waitFor(BOUND.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(hog.exitValue()).isEqualTo(137);
        assertThat(cgroups.oomKills(name)).isPositive();
        assertThat(cgroups.usage(name).peakMemory().bytes()).isBetween(MEMORY.bytes() / 2, MEMORY.bytes());
    }

    @Test
    void forksAboveTheLimitAreRefusedAndCounted() throws Exception {
        cgroups.limitProcesses(name, 10);
        assertThat(cgroups.refusedForks(name)).isZero();
        start("i=0; while [ $i -lt 20 ]; do sleep 100 & i=$((i+1)); done; wait");
        await(() -> cgroups.refusedForks(name) > 0);
        assertThat(cgroups.processes(name)).hasSizeLessThanOrEqualTo(10);
    }

    @Test
    void whatItUsesNowIsToldWithoutTheCacheOfFiles() throws Exception {
        var file = home.path().resolve("file");
        start("head -c 20000000 /dev/zero > " + file + "; exec sleep 100");
        await(() -> cgroups.load(name).cache().bytes() > 15_000_000);
        assertThat(cgroups.load(name).memory().bytes()).isBetween(1L, 15_000_000L);
        assertThat(cgroups.load(name).cpu()).isPositive();
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        long until = System.nanoTime() + BOUND.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("still not so after " + BOUND).isLessThan(until);
            Thread.sleep(5);
        }
    }
}
