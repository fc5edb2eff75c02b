package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Shell;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// At no moment is more allowed than the rules of that moment: when a sandbox begins, when they change, when the gateway dies, and after a pause.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class ChangesTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    /// Reads what trickles in and says when it ends.
    private static final String TRICKLE =
            """
            import socket, sys, time
            s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
            s.sendall(b'GET /trickle HTTP/1.1\\r\\nHost: ' + sys.argv[1].encode() + b'\\r\\n\\r\\n')
            s.settimeout(30)
            got = s.recv(4096)
            while b'.' not in got:
                got += s.recv(4096)
            print('flows', flush=True)
            try:
                while s.recv(4096):
                    pass
                print('closed', time.time(), flush=True)
            except OSError as e:
                print('cut', time.time(), type(e).__name__, flush=True)
            """;
    private static final Egress ALLOWED = Rules.hosts("allowed.example");

    private static CommandStream trickle(Shell shell) throws InterruptedException {
        var stream = CAISSON.node().run(shell.id(), CommandSpec.of("python3", "-u", "-c", TRICKLE, "allowed.example", "80"));
        assertThat(line(stream)).isEqualTo("flows");
        return stream;
    }

    private static String line(CommandStream stream) throws InterruptedException {
        var text = new StringBuilder();
        while (text.indexOf("\n") < 0) {
            switch (stream.next()) {
                case CommandEvent.Started _ -> {}
                case CommandEvent.Output output -> text.append(java.nio.charset.StandardCharsets.UTF_8.decode(output.data()));
                case CommandEvent.Ended ended -> throw new AssertionError("it ended: " + text + ended);
            }
        }
        return text.toString().strip();
    }

    private static boolean reaches(Probes probes) throws InterruptedException {
        return probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got().startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theFirstMomentIsLikeEveryOther(Tier tier) throws Exception {
        String tries =
                """
                import socket, time
                until = time.monotonic() + 1
                while time.monotonic() < until:
                    for address in ('8.8.8.8', '169.254.169.254', '192.0.2.20', '192.0.2.10'):
                        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                            s = socket.socket(socket.AF_INET, kind)
                            s.settimeout(0.2)
                            try:
                                s.connect((address, 80))
                                s.send(b'early')
                            except OSError:
                                pass
                            s.close()
                """;
        int then = CAISSON.internet().now();
        for (int i = 0; i < 5; i++) {
            var shell = CAISSON.shell(Shell.spec(tier).withEgress(i % 2 == 0 ? ALLOWED : Egress.NONE));
            // The first thing that it does.
            shell.asRoot("python3", "-c", tries);
        }
        assertThat(CAISSON.internet().since(then)).isEmpty();
        // And what is allowed works the first time it is tried.
        for (int i = 0; i < 5; i++) {
            var shell = CAISSON.shell(Shell.spec(tier).withEgress(ALLOWED));
            assertThat(shell.run("curl", "-sS", "-m", "10", "http://allowed.example/").out()).contains("\"address\"");
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void whatIsNoLongerAllowedIsCut(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, ALLOWED);
        try (var stream = trickle(probes.shell())) {
            // A change that still allows it leaves it alone.
            CAISSON.node().setEgress(probes.id(), Rules.hosts("api.allowed.example", "allowed.example"));
            assertThat(reaches(probes)).isTrue();
            double asked = System.currentTimeMillis() / 1000.0;
            CAISSON.node().setEgress(probes.id(), Rules.hosts("api.allowed.example"));
            double returned = System.currentTimeMillis() / 1000.0;
            String ended = line(stream);
            assertThat(ended).matches("(closed|cut) .*");
            double cut = Double.parseDouble(ended.split(" ")[1]);
            assertThat(cut).as("when it was cut: not before it was asked").isGreaterThan(asked - 0.005);
            assertThat(cut - asked).as("seconds until it was cut").isLessThan(Math.max(0.1, returned - asked + 0.1));
        }
        int then = CAISSON.internet().now();
        assertThat(reaches(probes)).isFalse();
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http"));
        CAISSON.node().setEgress(probes.id(), ALLOWED);
        assertThat(reaches(probes)).isTrue();
        // To nothing at all, and from there to the public internet.
        CAISSON.node().setEgress(probes.id(), Egress.NONE);
        assertThat(reaches(probes)).isFalse();
        assertThat(probes.make("opens", "8.8.8.8", 80).ok()).isFalse();
        CAISSON.node().setEgress(probes.id(), Rules.open());
        assertThat(reaches(probes)).isTrue();
        assertThat(probes.make("tcp", "8.8.8.8", 80, Probes.get("8.8.8.8", "/")).got()).isEqualTo("SINK\n");
        CAISSON.node().setEgress(probes.id(), ALLOWED);
        assertThat(probes.make("opens", "8.8.8.8", 80).ok()).isFalse();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void whatNoRuleEverAllowedStaysOutWhileTheyChange(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, ALLOWED);
        probes.bash("cat > /tmp/on.py <<'PROGRAM'\nimport socket\nwhile True:\n    for a in ('8.8.8.8', '192.0.2.20', 'denied.example', 'allowed.example'):\n        try:\n"
                + "            s = socket.create_connection((a, 80), 1)\n            s.sendall(b'GET / HTTP/1.1\\r\\nHost: denied.example\\r\\n\\r\\n')\n            s.recv(100)\n        except OSError:\n            pass\nPROGRAM\n"
                + "setsid python3 /tmp/on.py > /dev/null 2>&1 < /dev/null &");
        int then = CAISSON.internet().now();
        var took = new ArrayList<Long>();
        for (int i = 0; i < 40; i++) {
            long began = System.nanoTime();
            CAISSON.node().setEgress(probes.id(), i % 3 == 0 ? Rules.hosts("api.allowed.example") : i % 3 == 1 ? Rules.list(Rules.raw("203.0.113.0/24"), Rules.allow("allowed.example")) : ALLOWED);
            took.add(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
        }
        took.sort(null);
        assertThat(took.get(took.size() / 2)).as("milliseconds of a change: %s", took).isLessThan(100);
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http") || event.to().equals("192.0.2.20") || event.kind().equals("dns") && event.name().equals("denied.example"));
        CAISSON.node().setEgress(probes.id(), ALLOWED);
        assertThat(reaches(probes)).isTrue();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void nothingIsInheritedFromADeletedSandbox(Tier tier) throws Exception {
        for (int i = 0; i < 6; i++) {
            var before = Probes.in(CAISSON, tier, ALLOWED);
            String synthetic = before.make("dns", "allowed.example", "A").got().replace("rcode=0 ", "");
            assertThat(reaches(before)).isTrue();
            CAISSON.node().delete(before.id());
            var after = Probes.in(CAISSON, tier, Rules.hosts("api.allowed.example"));
            int then = CAISSON.internet().now();
            assertThat(after.make(List.of(probe("http", synthetic, 80, Probes.get("allowed.example", "/")), probe("hello", synthetic, 443, "allowed.example"), probe("resolve", "allowed.example"))))
                    .noneMatch(outcome -> outcome.got().contains("\"address\"") || outcome.got().equals("record 22") || outcome.probe().contains("resolve") && outcome.ok());
            assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http") || event.kind().equals("tls"));
            assertThat(CAISSON.node().flows(after.id(), 0, 1000)).noneMatch(dev.caisson.sandbox.Flow::allowed);
            CAISSON.node().delete(after.id());
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aSandboxThatBeganWithNothingCanBeGivenSomething(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Egress.NONE);
        assertThat(reaches(probes)).isFalse();
        CAISSON.node().setEgress(probes.id(), ALLOWED);
        assertThat(reaches(probes)).isTrue();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aDeadGatewayLetsNothingThroughAndComesBack(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.allow("allowed.example"), Rules.raw("203.0.113.0/24")));
        assertThat(probes.make("tcp", "203.0.113.7", 81, "x").got()).isEqualTo("SINK\n");
        String address = probes.make("dns", "allowed.example", "A").got().replace("rcode=0 ", "");
        try (var stream = trickle(probes.shell())) {
            CAISSON.servers().kill(Servers.Kind.GATEWAY);
            assertThat(line(stream)).matches("(closed|cut) .*");
        }
        int then = CAISSON.internet().now();
        var outcomes = probes.make(List.of(probe("opens", address, 80), probe("opens", "203.0.113.7", 81), probe("opens", "8.8.8.8", 80), probe("udp", "8.8.8.8", 53), probe("opens", Probes.RESOLVER, 53)));
        assertThat(outcomes).noneMatch(Outcome::ok).allMatch(outcome -> outcome.millis() < 2_000);
        assertThat(CAISSON.internet().since(then)).isEmpty();
        // Everything else of the sandbox goes on.
        assertThat(probes.shell().run("echo", "here").out()).isEqualTo("here\n");
        CAISSON.startGateway();
        until(Duration.ofSeconds(10), () -> reaches(probes));
        assertThat(probes.make("tcp", "203.0.113.7", 81, "x").got()).isEqualTo("SINK\n");
        assertThat(probes.make("tcp", "8.8.8.8", 80, "x").ok()).isFalse();
        assertThat(CAISSON.internet().arrivals(then, "8.8.8.8")).isEmpty();
        // What was looked up before is still the same name.
        assertThat(probes.make("dns", "allowed.example", "A").got()).isEqualTo("rcode=0 " + address);
        // A new one works as well.
        assertThat(reaches(Probes.in(CAISSON, tier, ALLOWED))).isTrue();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aChangeWhileTheGatewayIsDeadIsInForceWhenItIsBack(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.hosts("allowed.example", "api.allowed.example"));
        CAISSON.servers().kill(Servers.Kind.GATEWAY);
        try {
            CAISSON.node().setEgress(probes.id(), Rules.hosts("api.allowed.example"));
        } catch (dev.caisson.sandbox.SandboxException e) {
            assertThat(e.failure().code()).isEqualTo(dev.caisson.sandbox.Failure.Code.EGRESS_UNAVAILABLE);
        }
        CAISSON.startGateway();
        until(Duration.ofSeconds(10), () -> probes.make("http", "api.allowed.example", 80, Probes.get("api.allowed.example", "/")).got().startsWith("HTTP/1.1 200"));
        assertThat(reaches(probes)).isFalse();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aDeadNodeLetsNothingMoreThroughAndComesBackWithItsGateway(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, ALLOWED);
        // It goes on trying when nobody looks after it any more.
        probes.bash("cat > /tmp/on.py <<'PROGRAM'\nimport socket, time\nwhile True:\n    for a in ('8.8.8.8', '192.0.2.20', '169.254.169.254', 'denied.example'):\n        try:\n            socket.create_connection((a, 80), 1)\n        except OSError:\n            pass\n    time.sleep(0.05)\nPROGRAM\nsetsid python3 /tmp/on.py > /dev/null 2>&1 < /dev/null &");
        int then = CAISSON.internet().now();
        CAISSON.servers().kill(Servers.Kind.NODE);
        CAISSON.servers().start(Servers.Kind.NODE);
        // The gateway's network was made anew: whoever keeps the gateway starts it again.
        if (CAISSON.servers().isRunning(Servers.Kind.GATEWAY)) {
            CAISSON.servers().kill(Servers.Kind.GATEWAY);
        }
        CAISSON.startGateway();
        assertThat(reaches(Probes.in(CAISSON, tier, ALLOWED))).isTrue();
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        assertThat(CAISSON.internet().arrivals(then, "192.0.2.20")).isEmpty();
        assertThat(CAISSON.internet().questions(then)).doesNotContain("denied.example");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aPausedSandboxComesBackUnderTheRulesOfThatMoment(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, ALLOWED);
        try (var stream = trickle(probes.shell())) {
            CAISSON.node().pause(probes.id());
            CAISSON.node().setEgress(probes.id(), Rules.hosts("api.allowed.example"));
            int then = CAISSON.internet().now();
            CAISSON.node().resume(probes.id(), Duration.ofMinutes(5));
            assertThat(line(stream)).matches("(closed|cut) .*");
            assertThat(reaches(probes)).isFalse();
            assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http"));
        }
        CAISSON.node().pause(probes.id());
        CAISSON.node().resume(probes.id(), Duration.ofMinutes(5));
        assertThat(probes.make("http", "api.allowed.example", 80, Probes.get("api.allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
    }

    /// A condition that may throw.
    interface Condition {
        boolean holds() throws Exception;
    }

    private static void until(Duration atMost, Condition condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.NANOSECONDS.convert(atMost);
        while (!condition.holds()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within " + atMost);
            }
        }
    }
}
