package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.options;
import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.wayout.Probes.Probe;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// A name that is not allowed is not looked up, and no question carries anything out.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class NamesTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    private static final String UNKNOWN = "rcode=3 ";

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void anAllowedNameHasAnAddressOfTheSandboxsOwn(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.hosts("allowed.example", "only4.example", "only6.example"));
        assertThat(probes.make("dns", "allowed.example", "A").got()).matches("rcode=0 198\\.1[89]\\.[0-9.]+");
        assertThat(probes.make("dns", "allowed.example", "AAAA").got()).matches("rcode=0 fdca:1550:5:[0-9a-f:]+");
        // One spelling, however it is asked for, and however: also over TCP, and at the resolver's other address.
        assertThat(List.of(probes.make("dns", "ALLOWED.Example", "A").got(), probes.make("dns", "allowed.example.", "A").got(), probes.make("dns", "allowed.example", "A", Probes.RESOLVER, "tcp").got(),
                probes.make("dns", "allowed.example", "A", Probes.RESOLVER6).got(), probes.make("dns", "allowed.example", "A", Probes.RESOLVER, "udp", options("{'edns': 0}")).got()))
                .containsOnly(probes.make("dns", "allowed.example", "A").got());
        // By the system's own resolver.
        assertThat(probes.make("resolve", "allowed.example").got()).contains("198.1").contains("fdca:1550:5:");
        assertThat(probes.make("http", "only4.example", 80, Probes.get("only4.example", "/")).got()).startsWith("HTTP/1.1 200");
        assertThat(probes.make("http", "only6.example", 80, Probes.get("only6.example", "/")).got()).startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void deniedUnknownAndFilteredNamesLookAlike(Tier tier) throws Exception {
        String unheard = "nx-" + tier.label() + ".example";
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.deny("secret.allowed.example"), Rules.allow("*.allowed.example"), Rules.allow(unheard), Rules.allow("allowed.example"), Rules.allow("private.example")));
        int then = CAISSON.internet().now();
        var denied = List.of("denied.example", "secret.allowed.example", "nothing.canary.example", "metadata.google.internal", "private172.example", "evilallowed.example", "allowed.example.evil.test");
        var outcomes = probes.make(denied.stream().flatMap(name -> List.of(probe("dns", name, "A"), probe("dns", name, "AAAA"), probe("dns", name, "A", Probes.RESOLVER, "tcp")).stream()).toList());
        assertThat(outcomes).allMatch(outcome -> outcome.got().equals(UNKNOWN));
        assertThat(CAISSON.internet().questions(then)).isEmpty();
        // Allowed, but nobody has it: the answer is the same, byte for byte.
        assertThat(probes.make("dns", unheard, "A").got()).isEqualTo(UNKNOWN);
        String unknown = rest(probes, unheard);
        for (String name : denied) {
            assertThat(rest(probes, name)).as(name).isEqualTo(unknown);
        }
        // The positive twins.
        assertThat(probes.make("dns", "api.allowed.example", "A").got()).startsWith("rcode=0 198.1");
        assertThat(CAISSON.internet().questions(then)).isSubsetOf("api.allowed.example", unheard).contains(unheard);
    }

    /// What an answer says beside its number and the question.
    private static String rest(Probes probes, String name) throws InterruptedException {
        var query = new StringBuilder("12340100000100000000" + "0000");
        for (String label : name.split("\\.")) {
            query.append(String.format("%02x", label.length()));
            label.chars().forEach(c -> query.append(String.format("%02x", c)));
        }
        query.append("00" + "0001" + "0001");
        String answer = probes.make("dnsraw", query.toString()).got();
        assertThat(answer).as(name).startsWith("1234");
        return answer.substring(4, 24) + answer.substring(Math.min(answer.length(), query.length()));
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void recordsOfOtherKindsAreNotAnswered(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.hosts("allowed.example"));
        int then = CAISSON.internet().now();
        for (String name : List.of("allowed.example", "denied.example")) {
            var tried = new ArrayList<Probe>();
            for (String kind : List.of("TXT", "NULL", "MX", "SRV", "SVCB", "HTTPS", "ANY", "AXFR", "NS", "SOA", "CNAME", "PTR")) {
                tried.add(probe("dns", name, kind));
                tried.add(probe("dns", name, kind, Probes.RESOLVER, "tcp"));
            }
            tried.add(probe("dns", name, "A", Probes.RESOLVER, "udp", options("{'class': 3}")));
            tried.add(probe("dns", name, "A", Probes.RESOLVER, "udp", options("{'class': 255}")));
            for (int kind : List.of(0, 41, 249, 251, 65_280, 65_535)) {
                tried.add(probe("dns", name, kind));
            }
            // No record, and the same word for all of them.
            var outcomes = probes.make(tried);
            assertThat(outcomes).as("%s", outcomes).allMatch(outcome -> !outcome.ok() || outcome.got().matches("rcode=[0-9]+ "));
        }
        // Whether there is such a name may have been asked, but nothing else, and of no other.
        assertThat(CAISSON.internet().since(then)).filteredOn(event -> event.kind().equals("dns")).allMatch(event -> event.name().equals("allowed.example") && Set.of("A", "AAAA").contains(event.what()));
        assertThat(probes.make("dns", "allowed.example", "A").got()).startsWith("rcode=0 198.1");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void noQuestionCarriesAnythingOut(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.hosts("allowed.example"));
        int then = CAISSON.internet().now();
        var tried = new ArrayList<Probe>();
        for (int i = 0; i < 20; i++) {
            tried.add(probe("resolve", "data" + i + ".canary.example"));
            tried.add(probe("dns", "x".repeat(60) + "." + "y".repeat(60) + "." + i + ".canary.example", "A"));
            tried.add(probe("dns", "data" + i + ".canary.example", "TXT", Probes.RESOLVER, "tcp"));
        }
        for (String server : List.of("8.8.8.8", "1.1.1.1", "192.0.2.53", "2001:db8::53", "2606:4700:4700::1111", "169.254.20.10")) {
            tried.add(probe("dns", "at.canary.example", "A", server));
            tried.add(probe("dns", "at.canary.example", "A", server, "tcp"));
            // Over TLS, over HTTPS, over QUIC.
            tried.add(probe("tls", server, 853, "dns.canary.example", "x"));
            tried.add(probe("tls", server, 443, "dns.canary.example", Probes.get("dns.canary.example", "/dns-query?name=at.canary.example")));
            tried.add(probe("udp", server, 853));
            tried.add(probe("udp", server, 443));
        }
        // Under an allowed name, as one label, with options that carry data.
        tried.add(probe("dns", "canary.allowed.example", "A"));
        tried.add(probe("dns", "allowed.example.canary.example", "A"));
        tried.add(probe("dns", "allowed.example", "A", Probes.RESOLVER, "udp", options("{'edns': 1200}")));
        probes.make(tried);
        probes.bash("getent hosts a.canary.example; getent ahosts b.canary.example; curl -s -m 3 https://c.canary.example/; curl -s -m 3 --doh-url https://8.8.8.8/dns-query https://d.canary.example/");
        // What was looked up not long ago is not asked for again.
        assertThat(CAISSON.internet().questions(then)).isSubsetOf("allowed.example");
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        // The positive twin: such a question would be in the log.
        CAISSON.internet().reach("names", "twin.canary.example");
        assertThat(CAISSON.internet().questions(then)).contains("twin.canary.example");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void brokenQuestionsAreNotUnderstood(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.hosts("allowed.example", "*.allowed.example"));
        int then = CAISSON.internet().now();
        String allowed = "07616c6c6f776564076578616d706c6500";
        String head = "123401000001000000000000";
        String tail = "00010001";
        var broken = List.of(
                "", "12", "1234", head, head + "07616c6c6f", head + allowed, head + allowed + "0001",
                // No question, two, 65535; an answer; other operations.
                "123401000000000000000000", "123401000002000000000000" + allowed + tail + allowed + tail, "12340100ffff000000000000" + allowed + tail, "123481800001000000000000" + allowed + tail,
                "123428000001000000000000" + allowed + tail, "123410000001000000000000" + allowed + tail,
                // Pointers: to itself, forwards, to the header, in a chain.
                head + "c00c" + tail, head + "c0ff" + tail, head + "c000" + tail, head + "07616c6c6f776564c00c" + tail, head + "076578616d706c65c00e" + tail,
                // Labels: reserved kinds, too long, too many, running out.
                head + "40" + "61".repeat(64) + "00" + tail, head + "80" + "00" + tail, head + ("0161".repeat(130)) + "00" + tail, head + "3f" + "61".repeat(10), head + ("3f" + "61".repeat(63)).repeat(4) + "00" + tail,
                // A NUL, a dot, a slash, a space, a high byte, or all of the name in one label.
                head + "0f64656e6965642e6578616d706c6500" + allowed + tail, head + "0865766c00" + "2e746573" + allowed + tail, head + "0f616c6c6f7765642e6578616d706c65" + "00" + tail,
                head + "0461006263" + allowed + tail, head + "03612f62" + allowed + tail, head + "03612062" + allowed + tail, head + "03ff6162" + allowed + tail, head + "012a" + allowed + tail,
                // The root, and one with more behind the question.
                head + "00" + tail, head + allowed + tail + "ff".repeat(100), "12340100000100010001ffff" + allowed + tail + "00".repeat(20));
        var tried = new ArrayList<Probe>();
        for (String each : broken) {
            // Nothing may come back at all: that takes its time, so it is asked for by TCP, where the end is told.
            tried.add(probe("dnsraw", each, Probes.RESOLVER, "tcp"));
        }
        var outcomes = probes.make(tried);
        for (int i = 0; i < broken.size(); i++) {
            if (outcomes.get(i).ok()) {
                // Whatever is said, it has no answers in it.
                assertThat(outcomes.get(i).got()).as(broken.get(i)).matches(".{12}0000.*");
            }
        }
        assertThat(CAISSON.internet().questions(then)).isSubsetOf("allowed.example");
        assertThat(probes.make("dns", "allowed.example", "A").got()).startsWith("rcode=0 198.1");
    }

    @ParameterizedTest
    @CsvSource({
        "allowed.example, allowed.example, true", "allowed.example, api.allowed.example, false", "*.allowed.example, api.allowed.example, true", "*.allowed.example, a.b.allowed.example, true",
        "*.allowed.example, allowed.example, false", "*.allowed.example, evilallowed.example, false", "*.allowed.example, allowed.example.evil.test, false", "ALLOWED.example., allowed.example, true",
        "bücher.example, xn--bcher-kva.example, true", "bücher.example, bucher.example, false", "allowed.example, xn--llowed-2fg.example, false"
    })
    void wildcardsEndAtLabels(String rule, String name, boolean allowed) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts(rule));
        int then = CAISSON.internet().now();
        assertThat(probes.make("dns", name, "A").got()).matches(allowed ? "rcode=0 198\\.1.*" : UNKNOWN);
        if (!allowed) {
            assertThat(CAISSON.internet().questions(then)).isEmpty();
        }
    }

    @Test
    void theNameOfOneSandboxIsNothingToAnother() throws Exception {
        var one = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("allowed.example"));
        var other = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("api.allowed.example"));
        String address = one.make("dns", "allowed.example", "A").got().replace(UNKNOWN, "").replace("rcode=0 ", "");
        String own = other.make("dns", "api.allowed.example", "A").got().replace("rcode=0 ", "");
        int then = CAISSON.internet().now();
        // The other's address: either nothing here, or the other's own name, which is not what it says it wants.
        assertThat(other.make("http", address, 80, Probes.get("allowed.example", "/")).got()).doesNotContain("\"address\"");
        assertThat(other.make("hello", address, 443, "allowed.example").got()).isNotEqualTo("record 22");
        // Addresses that nobody was given.
        var tried = new ArrayList<Probe>();
        for (int i = 1; i < 40; i++) {
            tried.add(probe("http", "198.19." + i + ".7", 80, Probes.get("allowed.example", "/")));
            tried.add(probe("hello", "198.18.0." + i, 443, "allowed.example"));
        }
        assertThat(other.make(tried)).noneMatch(outcome -> outcome.got().contains("\"address\"") || outcome.got().equals("record 22"));
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> Set.of("http", "tls").contains(event.kind()));
        assertThat(other.make("http", own, 80, Probes.get("api.allowed.example", "/")).got()).contains("\"address\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"slow.example", "silent.example", "servfail.example", "empty.example", "liar.example", "otherid.example", "garbage.example", "pointerloop.example", "cnameloop.example"})
    void aBadNameServerLeadsNowhere(String name) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts(name, "allowed.example"));
        int then = CAISSON.internet().now();
        var outcomes = probes.make(List.of(probe("dns", name, "A"), probe("http", name, 80, Probes.get(name, "/"))));
        assertThat(outcomes.get(0).got()).doesNotContain("192.0.2.20");
        assertThat(outcomes).noneMatch(outcome -> outcome.got().contains("\"address\""));
        assertThat(CAISSON.internet().arrivals(then, "192.0.2.20")).isEmpty();
        // Others are served meanwhile.
        assertThat(probes.make("dns", "allowed.example", "A")).satisfies(outcome -> assertThat(outcome.got()).startsWith("rcode=0 198.1"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"truncated.example", "cnamegood.example"})
    void anAnswerThatTakesAnotherWayIsFollowed(String name) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts(name));
        assertThat(probes.make("http", name, 80, Probes.get(name, "/")).got()).startsWith("HTTP/1.1 200");
    }

    @Test
    void aFloodOfQuestionsIsOnesOwn() throws Exception {
        var flooding = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("*.allowed.example"));
        var quiet = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("allowed.example"));
        int then = CAISSON.internet().now();
        String flood =
                """
                cat > /tmp/flood.py <<'PROGRAM'
                import os, socket, struct, time
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.setblocking(False)
                until = time.monotonic() + 5
                sent = 0
                while time.monotonic() < until:
                    name = os.urandom(10).hex().encode()
                    try:
                        s.sendto(os.urandom(2) + b'\\x01\\0\\0\\1\\0\\0\\0\\0\\0\\0' + bytes([len(name)]) + name + b'\\x07allowed\\x07example\\0\\0\\1\\0\\1', ('100.127.255.53', 53))
                        sent += 1
                    except OSError:
                        pass
                print(sent)
                PROGRAM
                setsid python3 /tmp/flood.py > /tmp/flooded 2>&1 < /dev/null &
                """;
        flooding.bash(flood);
        var outcome = quiet.make("dns", "allowed.example", "A");
        assertThat(outcome.got()).startsWith("rcode=0 198.1");
        assertThat(outcome.millis()).isLessThan(2_000);
        String sent = flooding.bash("for i in $(seq 200); do test -s /tmp/flooded && break; sleep 0.05; done; cat /tmp/flooded").strip();
        assertThat(Integer.parseInt(sent)).as("questions sent").isGreaterThan(5_000);
        // Ten seconds' worth at once, and five seconds more: 200 a second.
        assertThat(CAISSON.internet().questions(then).stream().distinct().count()).as("questions that left").isLessThan(200 * 17);
    }
}
