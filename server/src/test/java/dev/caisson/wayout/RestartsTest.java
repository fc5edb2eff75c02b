package dev.caisson.wayout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Internet;
import dev.caisson.testing.Servers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Whoever dies, a sandbox keeps its network, its rules and the addresses it has looked up; and when all are gone, nothing is left.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class RestartsTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    private static final Egress RULES = Rules.list(Rules.allow("allowed.example"), Rules.raw("allowed.example", 7000), Rules.raw("203.0.113.0/24"));

    /// Counts what comes back over one connection, in `/tmp/count`, and says there how it ended.
    private static final String COUNTING =
            """
            cat > /tmp/counting.py <<'PROGRAM'
            import os, socket, time
            def tell(text):
                with open('/tmp/count.new', 'w') as f:
                    f.write(text)
                os.rename('/tmp/count.new', '/tmp/count')
            s = socket.create_connection(('allowed.example', 7000), 10)
            s.settimeout(10)
            n = 0
            try:
                while True:
                    s.sendall(b'x')
                    if not s.recv(1):
                        tell('closed after %d' % n)
                        break
                    n += 1
                    tell(str(n))
                    time.sleep(0.02)
            except OSError as e:
                tell('%s after %d' % (type(e).__name__, n))
            PROGRAM
            setsid python3 /tmp/counting.py > /dev/null 2>&1 < /dev/null &
            for i in $(seq 200); do test -s /tmp/count && break; sleep 0.05; done
            """;

    private static int counted(Probes probes) throws InterruptedException {
        String said = probes.bash("cat /tmp/count");
        assertThat(said).as("the old connection").matches("[0-9]+");
        return Integer.parseInt(said);
    }

    private static boolean reaches(Probes probes, String host) throws InterruptedException {
        return probes.make("http", host, 80, Probes.get(host, "/")).got().startsWith("HTTP/1.1 200");
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("waited 20 s").isLessThan(until);
            Thread.onSpinWait();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aNodeThatIsKilledLeavesTheWayOutAsItWas(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.hosts("denied.example"));
        // What it was given while it ran, not what it was made with.
        CAISSON.node().setEgress(probes.id(), RULES);
        probes.bash(COUNTING);
        String address = probes.make("dns", "allowed.example", "A").got();
        assertThat(address).startsWith("rcode=0 198.1");
        CAISSON.servers().kill(Servers.Kind.NODE);
        CAISSON.servers().start(Servers.Kind.NODE);
        await(() -> CAISSON.node().list().stream().anyMatch(info -> info.id().equals(probes.id())));
        assertThat(CAISSON.node().get(probes.id()).spec().egress()).isEqualTo(RULES);
        int before = counted(probes);
        await(() -> counted(probes) > before + 5);
        assertThat(probes.make("dns", "allowed.example", "A").got()).as("the address it had looked up").isEqualTo(address);
        assertThat(probes.make("tcp", address.replace("rcode=0 ", ""), 80, Probes.get("allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
        assertThat(probes.make("tcp", "203.0.113.7", 81, "x").got()).isEqualTo("SINK\n");
        assertThat(reaches(probes, "denied.example")).isFalse();
        assertThat(probes.make("tcp", "8.8.8.8", 80, "x").got()).isEmpty();
        // And a change still finds it.
        CAISSON.node().setEgress(probes.id(), Egress.NONE);
        assertThat(reaches(probes, "allowed.example")).isFalse();
        assertThat(probes.make("opens", "203.0.113.7", 81).ok()).isFalse();
        await(() -> !probes.bash("cat /tmp/count").matches("[0-9]+"));
    }

    @Test
    void whatWasChangedWhileTheGatewayWasAwayHoldsForAddressesToo() throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("allowed.example"));
        CAISSON.servers().kill(Servers.Kind.GATEWAY);
        var changing = Thread.ofVirtual().start(() -> {
            try {
                CAISSON.node().setEgress(probes.id(), RULES);
            } catch (SandboxException _) {
                // It waited too long, and the gateway is told all the same.
            }
        });
        // Nothing else of it, or of the node, waits for that.
        long began = System.nanoTime();
        assertThat(probes.make("opens", "203.0.113.7", 81).ok()).isFalse();
        assertThat(CAISSON.node().list()).hasSize(1);
        assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began)).isLessThan(8);
        CAISSON.startGateway();
        changing.join();
        await(() -> reaches(probes, "allowed.example"));
        assertThat(probes.make("tcp", "203.0.113.7", 81, "x").got()).isEqualTo("SINK\n");
    }

    @Test
    void oneThatIsDeletedWhileItsRulesChangeWaitsForNobody() throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("allowed.example"));
        CAISSON.servers().kill(Servers.Kind.GATEWAY);
        try {
            var refused = new CompletableFuture<SandboxException>();
            Thread.ofVirtual().start(() -> {
                try {
                    CAISSON.node().setEgress(probes.id(), RULES);
                    refused.completeExceptionally(new AssertionError("changed"));
                } catch (SandboxException e) {
                    refused.complete(e);
                }
            });
            // It is under way once the node says so.
            await(() -> CAISSON.node().get(probes.id()).spec().egress().equals(RULES));
            long began = System.nanoTime();
            CAISSON.node().delete(probes.id());
            assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began)).isLessThan(8);
            assertThat(refused.get(8, TimeUnit.SECONDS).code()).isEqualTo(Failure.Code.EGRESS_UNAVAILABLE);
        } finally {
            CAISSON.startGateway();
        }
    }

    /// With a gateway of the keeper's own, as `caisson up` starts it.
    @Test
    void aGatewayThatIsKilledIsStartedAgainByItsKeeper() throws Exception {
        CAISSON.servers().stop(Servers.Kind.GATEWAY);
        var home = CAISSON.home().home();
        var command = new ArrayList<>(CAISSON.internet().prefix());
        command.addAll(List.of("setsid", "sh", Path.of("../cli/src/main/resources/dev/caisson/cli/keep.sh").toAbsolutePath().toString(), "gateway", home.run().toString(), home.log().toString()));
        command.addAll(List.of("setpriv", "--no-new-privs", "--inh-caps", "-all", "--bounding-set", "-all,+setuid,+setgid,+sys_admin,+net_admin,+net_bind_service,+chown,+fowner"));
        command.addAll(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m", "--enable-native-access=ALL-UNNAMED",
                "-cp", System.getProperty("java.class.path"), "dev.caisson.app.GatewayMain", "--home", home.path().toString(), "--resolver", Internet.RESOLVER, "--extra-ca",
                CAISSON.internet().authority().toString()));
        var keeper = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(home.log().resolve("gateway.log").toFile()).start();
        try {
            var probes = Probes.in(CAISSON, Tier.CONTAINER, RULES);
            await(() -> reaches(probes, "allowed.example"));
            String address = probes.make("dns", "allowed.example", "A").got();
            for (int round = 0; round < 2; round++) {
                var first = gateway().orElseThrow();
                long began = System.nanoTime();
                first.destroyForcibly();
                await(() -> gateway().isPresent() && !gateway().equals(Optional.of(first)) && reaches(probes, "allowed.example"));
                assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began)).as("seconds without a way out").isLessThan(20);
                assertThat(probes.make("dns", "allowed.example", "A").got()).isEqualTo(address);
                assertThat(probes.make("tcp", "203.0.113.7", 81, "x").got()).isEqualTo("SINK\n");
            }
            // A node that begins anew makes another network; the gateway ends itself, and finds that one.
            var before = gateway().orElseThrow();
            CAISSON.node().deleteAll();
            CAISSON.servers().stop(Servers.Kind.NODE);
            assertThat(CAISSON.home().leftovers().after(java.time.Duration.ofSeconds(5))).isEmpty();
            assertThat(home.gatewayNetwork()).doesNotExist();
            assertThat(home.plugs()).isEmptyDirectory();
            CAISSON.servers().start(Servers.Kind.NODE);
            await(() -> gateway().isPresent() && !gateway().equals(Optional.of(before)));
            var fresh = Probes.in(CAISSON, Tier.CONTAINER, RULES);
            await(() -> reaches(fresh, "allowed.example"));
            assertThat(Files.readString(home.log().resolve("gateway.log"))).contains("the network was made anew");
        } finally {
            keeper.destroy();
            assertThat(keeper.waitFor(20, TimeUnit.SECONDS)).isTrue();
            CAISSON.startGateway();
        }
        assertThat(home.run().resolve("gateway.pid")).doesNotExist();
    }

    private static Optional<ProcessHandle> gateway() throws IOException {
        Path file = CAISSON.home().home().run().resolve("gateway.pid");
        String text = Files.exists(file) ? Files.readString(file).strip() : "";
        return text.isEmpty() ? Optional.empty() : ProcessHandle.of(Long.parseLong(text)).filter(ProcessHandle::isAlive);
    }

    @Test
    void aGatewayThatCouldGainRightsDoesNotServe() throws Exception {
        var home = CAISSON.home().home();
        var command = List.of("setpriv", "--ambient-caps", "-all", Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("java.class.path"), "dev.caisson.app.GatewayMain", "--home", home.path().toString(), "--resolver", Internet.RESOLVER);
        CAISSON.servers().kill(Servers.Kind.GATEWAY);
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isNotZero();
        assertThat(said).contains("no-new-privs").doesNotContain("ready");
        CAISSON.startGateway();
        assertThat(reaches(Probes.in(CAISSON, Tier.CONTAINER, RULES), "allowed.example")).isTrue();
    }
}
