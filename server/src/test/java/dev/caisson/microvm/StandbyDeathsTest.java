package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import dev.caisson.testing.Standing;
import dev.caisson.testing.TestHome;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Machines that stand by are nobody's, so nobody would delete them: whoever of us dies, they end.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class StandbyDeathsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private TestHome home;
    private Servers servers;

    @BeforeEach
    void open() throws Exception {
        home = TestHome.withGuest();
        servers = new Servers(home);
        start();
    }

    private void start() throws Exception {
        servers.start(Kind.NODE, "--standby", "2");
    }

    @AfterEach
    void close() throws Exception {
        servers.close();
        var left = home.leftovers().afterTheNode(PATIENCE);
        home.close();
        assertThat(left).isEmpty();
    }

    /// The sandbox that was asked for, beside which two stand by.
    private SandboxId ask() throws Exception {
        try (var node = servers.node()) {
            var asked = Shell.orSkip(node, Small.spec()).id();
            new Standing(node, home).await(2);
            return asked;
        }
    }

    @Test
    void aNodeThatEndsEndsThem() throws Exception {
        SandboxId living = ask();
        servers.terminate(Kind.NODE);
        assertThat(home.leftovers().now(1)).as("%s", servers.log(Kind.NODE)).isNotEmpty().allMatch(left -> left.contains(living.value()));
        start();
        try (var node = servers.node()) {
            assertThat(node.delete(living).leaks()).isZero();
        }
    }

    @Test
    void aNodeThatComesBackEndsThoseOfTheOneBefore() throws Exception {
        SandboxId living = ask();
        servers.kill(Kind.NODE);
        assertThat(home.leftovers().now(3)).as("nobody has ended them yet").anyMatch(left -> !left.contains(living.value()));
        start();
        assertThat(home.leftovers().now(1)).isNotEmpty().allMatch(left -> left.contains(living.value()));
        try (var node = servers.node()) {
            assertThat(new Shell(node, living).run("echo", "alive").out()).isEqualTo("alive\n");
            assertThat(node.status().standingBy()).isZero();
            assertThat(node.delete(living).leaks()).isZero();
            assertThat(node.receipts(10)).as("nobody's machines have no receipts").extracting(Receipt::id).containsExactly(living);
        }
    }

    @Test
    void withoutANodeTheDeadmanEndsThem() throws Exception {
        SandboxId living = ask();
        servers.kill(Kind.NODE);
        Set<String> before = home.leftovers().now(3);
        servers.start(Kind.DEADMAN);
        assertThat(home.leftovers().now(3)).as("their time is not over").isEqualTo(before);
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + home.home().node().resolve("node.db")); var statement = connection.createStatement()) {
            assertThat(statement.executeUpdate("update standby set deadline_nanos = 0")).isEqualTo(2);
        }
        servers.awaitLog(Kind.DEADMAN, "nobody has come for it", PATIENCE);
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (home.leftovers().now(3).stream().anyMatch(left -> !left.contains(living.value())) && System.nanoTime() < until) {
            Thread.sleep(20);
        }
        assertThat(home.leftovers().now(1)).isNotEmpty().allMatch(left -> left.contains(living.value()));
        start();
        try (var node = servers.node()) {
            node.delete(living);
        }
    }

    /// At whatever step of making one.
    @Test
    void aDeathWhileOneIsMadeLeavesNothing() throws Exception {
        SandboxId living = ask();
        for (int round = 0; round < 4; round++) {
            try (var node = servers.node()) {
                node.delete(node.create(Small.spec()).id());
            }
            Thread.sleep(150L * round);
            servers.kill(Kind.NODE);
            start();
            assertThat(home.leftovers().now(1)).as("round %s", round).allMatch(left -> left.contains(living.value()));
        }
        try (var node = servers.node()) {
            assertThat(node.delete(living).leaks()).isZero();
        }
    }
}
