package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Shell;
import dev.caisson.testing.Standing;
import dev.caisson.wayout.Rules;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// A sandbox that takes over a machine made ahead is like one that was made for it.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class StandbyTest {
    private static final int STANDBYS = 2;

    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet().withMicrovms().withStandbys(STANDBYS);

    private static Standing standing() {
        return new Standing(CAISSON.node(), CAISSON.home());
    }

    /// Asks for one, after which as many stand by as may.
    private static void ask() throws Exception {
        CAISSON.node().delete(CAISSON.shell(Small.spec()).id());
        standing().await(STANDBYS);
    }

    /// One that took over a machine.
    private static Shell takeOver(SandboxSpec spec) throws Exception {
        var before = standing().names();
        assertThat(before).isNotEmpty();
        var shell = CAISSON.shell(spec);
        assertThat(before).as("it is one of those that stood by").contains(shell.id().value());
        return shell;
    }

    @Test
    void whatStoodByIsItsOwners() throws Exception {
        ask();
        assertThat(CAISSON.node().list()).as("nobody has it").isEmpty();
        var small = Small.spec();
        var spec = new SandboxSpec(small.template(), small.trust(), small.tier(), small.limits(), small.lease(), Map.of("OWNER", "me"), Map.of("label", "one")).withDriver(small.driver().orElseThrow());
        var mine = takeOver(spec);
        assertThat(CAISSON.node().get(mine.id())).satisfies(info -> {
            assertThat(info.spec()).isEqualTo(spec);
            assertThat(info.createMillis()).isPositive();
        });
        assertThat(CAISSON.node().commands(mine.id())).isEmpty();
        assertThat(mine.bash("echo $OWNER; uname -n; whoami; pwd; ls -A; ls /tmp").out()).isEqualTo("me\n" + mine.id() + "\nuser\n/home/user\n" + home());
        ClonesTest.clockIsRight(mine);
        assertThat(CAISSON.node().samples(mine.id(), Instant.EPOCH, Instant.now())).allSatisfy(
                sample -> assertThat(sample.cpuUsedPercent()).as("what it did before is not its owner's").isLessThan(250));
        standing().await(STANDBYS);
        CAISSON.node().pause(mine.id());
        CAISSON.node().resume(mine.id(), Duration.ofMinutes(1));
        assertThat(mine.run("echo", "again").out()).isEqualTo("again\n");
        assertThat(CAISSON.node().delete(mine.id()).leaks()).isZero();
    }

    /// What a home has in a sandbox that was made for its owner, as `ls -A` tells it.
    private static String home() throws Exception {
        Limits other = new Limits(new Cpus(1000), ByteSize.mib(257), 64, ByteSize.mib(96), 512);
        var before = standing().names();
        var shell = CAISSON.shell(Small.limited(other, Duration.ofMinutes(5)));
        assertThat(before).as("of another shape, so none of those").doesNotContain(shell.id().value());
        try {
            return shell.bash("ls -A; ls /tmp").out();
        } finally {
            CAISSON.node().delete(shell.id());
        }
    }

    @Test
    void twoThatStoodByAreDifferentMachines() throws Exception {
        ask();
        var facts = new ArrayList<Map<String, String>>();
        for (int i = 0; i < STANDBYS; i++) {
            facts.add(ClonesTest.facts(takeOver(Small.spec())));
        }
        ClonesTest.areDifferent(facts);
    }

    /// Its plug was there before its owner's rules were.
    @Test
    void itReachesWhatItsOwnerMay() throws Exception {
        ask();
        var none = takeOver(Small.spec());
        assertThat(none.bash("curl -sS -m 5 http://allowed.example/ 2>&1").out()).contains("Could not resolve host");
        standing().await(STANDBYS);
        Egress rules = Rules.hosts("allowed.example");
        var some = takeOver(Small.spec().withEgress(rules));
        assertThat(some.bash("curl -sS http://allowed.example/").out()).contains("\"tls\":false");
        assertThat(some.bash("curl -sS -m 5 http://denied.example/ 2>&1").out()).contains("Could not resolve host");
    }

    @Test
    void oneThatDiedIsNobodys() throws Exception {
        ask();
        var dead = standing().names();
        for (String name : dead) {
            standing().kill(name);
        }
        var shell = CAISSON.shell(Small.spec());
        assertThat(dead).doesNotContain(shell.id().value());
        assertThat(shell.run("echo", "alive").out()).isEqualTo("alive\n");
        standing().await(STANDBYS);
        assertThat(standing().names()).doesNotContainAnyElementsOf(dead);
    }
}
