package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What leaves is counted and told, and has its bounds; one's flood is not another's.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class BudgetsTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    private static boolean reaches(Probes probes) throws InterruptedException {
        return probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got().startsWith("HTTP/1.1 200");
    }

    @Test
    void theGatewayHasNoPowers() throws Exception {
        // Every thread of it: the kernel knows no other kind of process.
        try (var threads = Files.list(Path.of("/proc", Long.toString(CAISSON.servers().pid(Servers.Kind.GATEWAY)), "task"))) {
            for (Path thread : threads.toList()) {
                var status = new java.util.TreeMap<String, String>();
                for (String line : Files.readAllLines(thread.resolve("status"))) {
                    String[] parts = line.split(":\\s*", 2);
                    status.put(parts[0], parts[1].strip());
                }
                var powers = new java.util.TreeMap<>(status);
                powers.keySet().retainAll(List.of("CapInh", "CapPrm", "CapEff", "CapAmb"));
                assertThat(powers).as("%s", status.get("Name")).hasSize(4).values().containsOnly("0000000000000000");
                assertThat(List.of((status.get("Uid") + "\t" + status.get("Gid")).split("\t"))).as("users and groups of %s", status.get("Name")).hasSize(8).doesNotContain("0");
                assertThat(List.of(String.valueOf(status.get("Groups")).split(" "))).as("further groups of %s", status.get("Name")).doesNotContain("0");
                assertThat(status.get("NoNewPrivs")).as("no_new_privs of %s", status.get("Name")).isEqualTo("1");
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void everyAttemptIsTold(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.allow("allowed.example").withName("mine"), Rules.requests("api.allowed.example", java.util.Set.of("GET"), "/headers")));
        probes.make(List.of(
                probe("http", "allowed.example", 80, Probes.get("allowed.example", "/bytes/5000")), probe("hello", "allowed.example", 443, "allowed.example"), probe("hello", "allowed.example", 443, "denied.example"),
                probe("resolve", "denied.example"), probe("opens", "8.8.8.8", 80), probe("udp", "9.9.9.9", 443), probe("tls", "api.allowed.example", 443, "api.allowed.example", Probes.get("api.allowed.example", "/headers")),
                probe("tls", "api.allowed.example", 443, "api.allowed.example", Probes.get("api.allowed.example", "/other"))));
        List<Flow> flows = List.of();
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (System.nanoTime() < until && flows.stream().noneMatch(flow -> flow.protocol().equals("udp"))) {
            flows = CAISSON.node().flows(probes.id(), 0, 1000);
        }
        assertThat(flows).extracting(Flow::number).isSorted().doesNotHaveDuplicates();
        assertThat(flows).anySatisfy(flow -> {
            assertThat(flow.host()).isEqualTo("allowed.example");
            assertThat(flow.port()).isEqualTo(80);
            assertThat(flow.rule()).isEqualTo("request:mine");
            assertThat(flow.allowed()).isTrue();
            assertThat(flow.received()).isGreaterThan(5_000);
            assertThat(flow.sent()).isPositive();
            assertThat(flow.address()).isIn("192.0.2.10", "2001:db8::10", "2001:db8:0:0:0:0:0:10");
        });
        assertThat(flows).anyMatch(flow -> flow.host().equals("allowed.example") && flow.port() == 443 && flow.allowed()).anyMatch(flow -> flow.port() == 443 && !flow.allowed() && !flow.reason().isEmpty())
                .anyMatch(flow -> flow.protocol().equals("dns") && flow.host().equals("denied.example") && !flow.allowed()).anyMatch(flow -> flow.address().equals("8.8.8.8") && flow.port() == 80 && !flow.allowed())
                .anyMatch(flow -> flow.address().equals("9.9.9.9") && flow.protocol().equals("udp") && !flow.allowed())
                .anyMatch(flow -> flow.request().contains("/headers") && flow.allowed()).anyMatch(flow -> flow.request().contains("/other") && !flow.allowed());
    }

    @Test
    void connectionsAreCounted() throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.within(Rules.list(Rules.raw("allowed.example", 7000)), new EgressBudget(4, new ByteSize(0), 1_000)));
        String said = probes.bash(
                """
                python3 - <<'PROGRAM'
                import socket
                held = []
                for i in range(10):
                    try:
                        s = socket.create_connection(('allowed.example', 7000), 5)
                        s.sendall(b'x')
                        s.settimeout(5)
                        held.append(s if s.recv(1) == b'x' else None)
                    except OSError:
                        held.append(None)
                print(sum(1 for s in held if s))
                for s in held:
                    if s: s.close()
                PROGRAM
                """);
        assertThat(said).isEqualTo("4\n");
        // What is closed counts no more.
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (!probes.make("tcp", "allowed.example", 7000, "again").got().equals("again")) {
            assertThat(System.nanoTime()).isLessThan(until);
        }
    }

    @Test
    void bytesAreCounted() throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.within(Rules.hosts("allowed.example"), new EgressBudget(10, ByteSize.mib(1), 1_000)));
        assertThat(probes.bash("curl -sS -m 20 http://allowed.example/bytes/100000 | wc -c").strip()).isEqualTo("100000");
        String got = probes.bash("curl -s -m 20 http://allowed.example/bytes/10000000 | wc -c").strip();
        assertThat(Long.parseLong(got)).isLessThan(1_200_000);
        assertThat(reaches(probes)).as("nothing is left of it").isFalse();
    }

    @Test
    void requestsHaveARate() throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.within(Rules.hosts("allowed.example"), new EgressBudget(100, new ByteSize(0), 2)));
        int then = CAISSON.internet().now();
        probes.bash("for i in $(seq 100); do curl -s -o /dev/null -m 2 http://allowed.example/; done");
        long requests = CAISSON.internet().since(then).stream().filter(event -> event.kind().equals("http")).count();
        assertThat(requests).isBetween(3L, 80L);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aFloodOfConnectionsIsOnesOwn(Tier tier) throws Exception {
        var flooding = Probes.in(CAISSON, tier, Rules.hosts("allowed.example"));
        var quiet = Probes.in(CAISSON, tier, Rules.hosts("allowed.example"));
        // Half open, and silent: what is asked is never said.
        flooding.bash("ulimit -n 4096; for n in 1 2 3; do setsid python3 -c \"import sys; sys.path.insert(0, '/tmp'); import probes, time; probes.flood('allowed.example', 80 if " + "$n == 1" + " else 443, 1000); time.sleep(20)\" > /dev/null 2>&1 < /dev/null & done; sleep 1");
        long began = System.nanoTime();
        assertThat(reaches(quiet)).isTrue();
        assertThat(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began)).as("milliseconds of the neighbour's request").isLessThan(3_000);
    }

    @Test
    void aMillionRefusalsAreFewEntries() throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("allowed.example"));
        String said = probes.bash(
                """
                python3 - <<'PROGRAM'
                import socket, time
                until = time.monotonic() + 4
                n = 0
                while time.monotonic() < until:
                    s = socket.socket()
                    try:
                        s.connect(('8.8.8.8', 1 + n % 60000))
                    except OSError:
                        n += 1
                    s.close()
                print(n)
                PROGRAM
                """);
        int refused = Integer.parseInt(said.strip());
        assertThat(refused).isGreaterThan(1_000);
        var flows = CAISSON.node().flows(probes.id(), 0, 1000);
        assertThat(flows.size()).as("entries for %s refusals", refused).isLessThan(500);
        assertThat(reaches(probes)).isTrue();
    }
}
