package dev.caisson.teardown;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import dev.caisson.testing.TestHome;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A sandbox ends with its lease whatever happens to the node.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class DeadmanTest {
    private static final Duration LEASE = Duration.ofSeconds(3);

    private static SandboxSpec shortLived() {
        var spec = Shell.spec(Tier.GVISOR);
        return new SandboxSpec(spec.template(), spec.trust(), spec.tier(), spec.limits(), LEASE, Map.of(), Map.of());
    }

    @Test
    void endsWhatIsOverItsLeaseWhileTheNodeIsDead() throws Exception {
        try (var home = TestHome.make(); var servers = new Servers(home)) {
            servers.start(Kind.DEADMAN);
            servers.start(Kind.NODE);
            SandboxId id;
            try (var node = servers.node()) {
                id = node.create(shortLived()).id();
            }
            servers.kill(Kind.NODE);
            assertThat(home.leftovers().now()).isNotEmpty();
            assertThat(home.leftovers().after(LEASE.plusSeconds(20))).isEmpty();
            servers.awaitLog(Kind.DEADMAN, "sandbox=" + id + " ended", Duration.ofSeconds(10));
            servers.start(Kind.NODE);
            endedBy("deadman", servers, id);
        }
    }

    @Test
    void endsWhatIsOverItsLeaseWhileTheNodeHangs() throws Exception {
        try (var home = TestHome.make(); var servers = new Servers(home)) {
            servers.start(Kind.DEADMAN);
            servers.start(Kind.NODE);
            SandboxId id;
            try (var node = servers.node()) {
                id = node.create(shortLived()).id();
            }
            servers.signal(Kind.NODE, "STOP");
            try {
                assertThat(home.leftovers().after(LEASE.plusSeconds(20))).isEmpty();
                // Nothing is left before the receipt is written: a node that wakes up in between writes its own.
                servers.awaitLog(Kind.DEADMAN, "sandbox=" + id + " ended", Duration.ofSeconds(10));
            } finally {
                servers.signal(Kind.NODE, "CONT");
            }
            endedBy("deadman", servers, id);
        }
    }

    @Test
    void theKeeperIsFirstWhereItLives() throws Exception {
        try (var home = TestHome.make(); var servers = new Servers(home)) {
            servers.start(Kind.DEADMAN);
            servers.start(Kind.NODE);
            SandboxId id;
            try (var node = servers.node()) {
                id = node.create(shortLived()).id();
            }
            assertThat(home.leftovers().after(LEASE.plusSeconds(3))).isEmpty();
            endedBy("keeper", servers, id);
        }
    }

    @Test
    void theSweepEndsWhatIsOverWhenNobodyWasThere() throws Exception {
        try (var home = TestHome.make(); var servers = new Servers(home)) {
            servers.start(Kind.NODE);
            SandboxId id;
            try (var node = servers.node()) {
                id = node.create(shortLived()).id();
            }
            servers.kill(Kind.NODE);
            Thread.sleep(LEASE.plusSeconds(1));
            assertThat(home.leftovers().now()).isNotEmpty();
            servers.start(Kind.NODE);
            assertThat(home.leftovers().after(Duration.ofSeconds(1))).isEmpty();
            endedBy("sweep", servers, id);
        }
    }

    private static void endedBy(String by, Servers servers, SandboxId id) throws InterruptedException {
        try (var node = servers.node()) {
            long until = System.nanoTime() + Duration.ofSeconds(10).toNanos();
            while (!node.list().isEmpty() && System.nanoTime() < until) {
                Thread.sleep(20);
            }
            Receipt receipt = node.receipt(id);
            assertThat(receipt.by()).isEqualTo(by);
            assertThat(receipt.reason()).isEqualTo(EndReason.LEASE_OVER);
            assertThat(receipt.leaks()).isZero();
            assertThat(receipt.resources()).isNotEmpty();
        }
    }
}
