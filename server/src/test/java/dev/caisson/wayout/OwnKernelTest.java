package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Internet;
import dev.caisson.testing.Shell;
import dev.caisson.wayout.Probes.Probe;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// A sandbox whose kernel is its own, and may send whatever it likes, gets no further than the others: of each promise of this package one or two cases.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class OwnKernelTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet().withMicrovms();

    private static final long AT_ONCE_MILLIS = 1_500;

    private static Probes in(Egress egress) throws Exception {
        return Probes.in(CAISSON, Tier.MICROVM, egress);
    }

    private static boolean reaches(Probes probes) throws InterruptedException {
        return probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got().startsWith("HTTP/1.1 200");
    }

    /// What nobody may reach, in both families.
    private static List<Probe> strangers() {
        var tried = new ArrayList<Probe>();
        for (String stranger : List.of("8.8.8.8", "192.0.2.20", "2606:4700:4700::1111", "2001:db8::10", "169.254.169.254", "fd00:ec2::254", Internet.HOST, Internet.HOST6)) {
            tried.add(probe("opens", stranger, 80));
            tried.add(probe("udp", stranger, 53));
        }
        return tried;
    }

    @Test
    void namesDecideAndRulesChangeWhileItRuns() throws Exception {
        var probes = in(Rules.hosts("allowed.example"));
        probes.put("/usr/local/share/ca-certificates/lab.crt", CAISSON.internet().authority());
        String trust = "cat /usr/local/share/ca-certificates/lab.crt >> /etc/ssl/certs/ca-certificates.crt; ";
        assertThat(probes.bash(trust + "curl -sS http://allowed.example/")).contains("\"tls\":false");
        assertThat(probes.bash("curl -sS https://allowed.example/")).as("passed through").contains("\"sni\":\"allowed.example\"");
        assertThat(probes.bash("curl -sS https://allowed.example/bytes/3000000 | wc -c").strip()).isEqualTo("3000000");
        assertThat(probes.bash("curl -sS -m 5 https://denied.example/")).contains("Could not resolve host");
        assertThat(probes.make("dns", "allowed.example", "AAAA").got()).matches("rcode=0 fdca:1550:5:[0-9a-f:]+");

        int then = CAISSON.internet().now();
        assertThat(probes.make(strangers())).allSatisfy(outcome -> {
            assertThat(outcome.ok()).as("%s", outcome).isFalse();
            if (outcome.probe().contains("opens")) {
                assertThat(outcome.millis()).as("%s", outcome).isLessThan(AT_ONCE_MILLIS);
            }
        });
        assertThat(CAISSON.internet().since(then)).isEmpty();

        CAISSON.node().setEgress(probes.id(), Rules.hosts("api.allowed.example"));
        assertThat(reaches(probes)).isFalse();
        CAISSON.node().setEgress(probes.id(), Rules.hosts("allowed.example"));
        assertThat(reaches(probes)).isTrue();
        // What the rules were, and the connections' places, survive a pause.
        CAISSON.node().pause(probes.id());
        CAISSON.node().resume(probes.id(), Duration.ofMinutes(2));
        assertThat(reaches(probes)).isTrue();
        assertThat(CAISSON.node().flows(probes.id(), 0, 1_000)).anyMatch(Flow::allowed).anyMatch(flow -> !flow.allowed());
    }

    @Test
    void withoutRulesThereIsNoWayOut() throws Exception {
        var probes = in(Egress.NONE);
        int then = CAISSON.internet().now();
        var tried = strangers();
        tried.add(probe("resolve", "allowed.example"));
        tried.add(probe("raw", "8.8.8.8", 47));
        tried.add(probe("raw", "2001:db8::10", 253));
        assertThat(probes.make(tried)).noneMatch(Outcome::ok);
        // The gateway's refusal is an ICMP message too, so what comes back is no measure here.
        probes.make(List.of(probe("raw", "8.8.8.8", 1), probe("raw", "2001:db8::10", 58)));
        assertThat(CAISSON.internet().since(then)).isEmpty();
        // The sink hears: without that, silence would mean nothing.
        CAISSON.internet().visit("169.254.169.254", 80);
        assertThat(CAISSON.internet().visitors(then)).extracting(Internet.Event::to).contains("169.254.169.254");
    }

    @Test
    void nobodyIsReachedByOrTakenForANeighbour() throws Exception {
        var allowed = in(Rules.hosts("allowed.example"));
        var other = in(Rules.hosts("api.allowed.example"));
        allowed.bash("mkdir /tmp/w; cd /tmp/w; setsid python3 -u -m http.server --bind :: 8000 > /tmp/visits 2>&1 < /dev/null & for i in $(seq 100); do grep -q Serving /tmp/visits 2> /dev/null && break; sleep 0.1; done");
        var addresses = allowed.bash("ip -o addr show dev eth0 | awk '{print $4}' | cut -d/ -f1").lines().toList();
        assertThat(addresses).hasSizeGreaterThanOrEqualTo(2);
        assertThat(allowed.make("http", addresses.getFirst(), 8000, Probes.get("own", "/")).got()).as("it is there, in its own network").startsWith("HTTP/1.0 200");
        String neighbour = addresses.getFirst();
        String synthetic = allowed.make("dns", "allowed.example", "A").got().replace("rcode=0 ", "").strip();
        assertThat(synthetic).startsWith("198.1");

        int then = CAISSON.internet().now();
        assertThat(other.make(addresses.stream().map(address -> probe("opens", address, 8000)).toList())).noneMatch(Outcome::ok);
        // With the other's address, given to the link, and in frames of its own making, with other senders too.
        other.bash("ip addr add " + neighbour + "/32 dev eth0; ip link set eth0 address 02:00:00:00:00:01; ip neigh flush all; ip route add 192.0.2.0/24 dev eth0");
        other.make(List.of(probe("bound", neighbour, synthetic, 80), probe("tcp", synthetic, 80, Probes.get("allowed.example", "/")), probe("opens", "192.0.2.10", 80)));
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("packet") || event.kind().equals("http"));
        assertThat(reaches(allowed)).as("the neighbour is as it was").isTrue();
        assertThat(CAISSON.node().delete(other.id()).denied()).as("what was refused is counted").containsKey("network");
    }

    @Test
    void theFirstMomentIsLikeEveryOther() throws Exception {
        int then = CAISSON.internet().now();
        var shell = CAISSON.shell(Shell.spec(Tier.MICROVM).withEgress(Rules.hosts("allowed.example")));
        assertThat(shell.run("curl", "-sS", "-m", "10", "http://allowed.example/").out()).contains("\"address\"");
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
    }
}
