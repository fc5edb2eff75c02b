package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.options;
import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Internet;
import dev.caisson.wayout.Probes.Probe;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// A TLS connection goes where its name leads, and says that name, or it goes nowhere.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class ServerNamesTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    private static final String SHAKES = "record 22";

    private static Probes in(Tier tier) throws Exception {
        return Probes.in(CAISSON, tier, Rules.hosts("allowed.example", "api.allowed.example"));
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aServerNameThatAgreesGoesThrough(Tier tier) throws Exception {
        var probes = in(tier);
        int then = CAISSON.internet().now();
        assertThat(probes.make(List.of(
                probe("hello", "allowed.example", 443, "allowed.example"), probe("hello", "allowed.example", 443, "ALLOWED.Example"), probe("hello", "allowed.example", 443, "allowed.example", options("{'alpn': ['h2']}")),
                // In many records, byte by byte, and large.
                probe("hello", "allowed.example", 443, "allowed.example", options("{'record': 40}")), probe("hello", "allowed.example", 443, "allowed.example", options("{'step': 16}")),
                probe("hello", "allowed.example", 443, "allowed.example", options("{'padding': 8000}"))))).extracting(Outcome::got).containsOnly(SHAKES);
        assertThat(probes.make("tls", "allowed.example", 443, "allowed.example", Probes.get("allowed.example", "/"), options("{'alpn': ['http/1.1']}")).got()).contains("\"sni\":\"allowed.example\"");
        assertThat(CAISSON.internet().since(then)).filteredOn(event -> event.kind().equals("tls")).hasSize(7).allMatch(event -> event.name().equalsIgnoreCase("allowed.example"));
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void anyOtherServerNameGoesNowhere(Tier tier) throws Exception {
        var probes = in(tier);
        var tried = new ArrayList<Probe>();
        for (String name : List.of("denied.example", "fronted.example", "api.allowed.example", "evilallowed.example", "allowed.example.evil.test", "x.allowed.example", "192.0.2.10", "192.0.2.20", "2001:db8::10", "localhost", "",
                ".", "allowed.example..", ".allowed.example", "allowed..example", "denied.example\0.allowed.example", "allowed.example\0.denied.example", "allowed.example\0", "allowed.example ", " allowed.example", "allowed.example\n",
                "\u0430llowed.example", "allowed\u3002example", "*.example", "*", "allowed.example:443", "x".repeat(300) + ".example")) {
            tried.add(probe("hello", "allowed.example", 443, name));
        }
        // None, two in one list, two lists, encrypted, split so that the name is in another record or segment.
        tried.add(probe("hello", "allowed.example", 443));
        tried.add(probe("hello", "allowed.example", 443, "allowed.example", "denied.example"));
        tried.add(probe("hello", "allowed.example", 443, "denied.example", "allowed.example"));
        tried.add(probe("hello", "allowed.example", 443, "allowed.example", "allowed.example"));
        tried.add(probe("hello", "allowed.example", 443, "allowed.example", "denied.example", options("{'split_extensions': true}")));
        tried.add(probe("hello", "allowed.example", 443, "denied.example", "allowed.example", options("{'split_extensions': true}")));
        tried.add(probe("hello", "allowed.example", 443, "allowed.example", options("{'ech': true}")));
        tried.add(probe("hello", "allowed.example", 443, options("{'ech': true}")));
        tried.add(probe("hello", "allowed.example", 443, "denied.example", options("{'record': 64}")));
        tried.add(probe("hello", "allowed.example", 443, "denied.example", options("{'record': 1}")));
        tried.add(probe("hello", "allowed.example", 443, "denied.example", options("{'step': 32}")));
        tried.add(probe("hello", "allowed.example", 443, "allowed.example", options("{'padding': 70000}")));
        int then = CAISSON.internet().now();
        var outcomes = probes.make(tried);
        assertThat(outcomes).noneMatch(outcome -> outcome.got().equals(SHAKES));
        assertThat(outcomes).as("they are told so, not left waiting").allMatch(outcome -> outcome.millis() < 5_000);
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("tls"));
        assertThat(probes.make("hello", "allowed.example", 443, "allowed.example").got()).isEqualTo(SHAKES);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void whatIsNeitherTlsNorHttpGoesNowhere(Tier tier) throws Exception {
        var probes = in(tier);
        int then = CAISSON.internet().now();
        var tried = new ArrayList<Probe>();
        for (int port : List.of(443, 80)) {
            for (String text : List.of("SSH-2.0-OpenSSH_9.2\r\n", "\0\0\0\0", "\u0005\u0001\0", "\u0004\u0001\0P\0\0\0\u0001x\0denied.example\0", "EHLO x\r\n", "\u0016\u0003\u0001\0\0", "\u0016\u0003\u0001\uff7f", "\u0080.\u0001\u0003\u0001",
                    "\u0014\u0003\u0003\0\u0001\u0001", "\u0017\u0003\u0003\0\u0005hello", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "x".repeat(100_000))) {
                tried.add(probe("tcp", "allowed.example", port, text.replace('\uff7f', '\u007f')));
            }
        }
        // Where the rule names other ports.
        for (int port : List.of(22, 7000, 8080, 8443, 25)) {
            tried.add(probe("tcp", "allowed.example", port, "x"));
        }
        assertThat(probes.make(tried)).noneMatch(outcome -> outcome.got().contains("\"address\"") || outcome.got().equals("x") || outcome.got().startsWith("SSH"));
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> List.of("http", "tls").contains(event.kind()) || event.to().equals("192.0.2.10") && !List.of(80, 443).contains(event.port()));
        assertThat(probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).contains("\"address\"");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aNameLeadsOnlyToItsOwnAddress(Tier tier) throws Exception {
        var probes = in(tier);
        int then = CAISSON.internet().now();
        // To addresses of our own choosing, with a name that is allowed.
        var tried = new ArrayList<Probe>();
        for (String address : List.of("192.0.2.10", "192.0.2.20", "203.0.113.7", "8.8.8.8", "2001:db8::10", "10.0.0.1")) {
            tried.add(probe("hello", address, 443, "allowed.example"));
            tried.add(probe("http", address, 80, Probes.get("allowed.example", "/")));
        }
        assertThat(probes.make(tried)).noneMatch(Outcome::ok);
        assertThat(CAISSON.internet().since(then)).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void openedTlsSpeaksPlainHttpOfTheSandboxsOwnAuthority(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.opened("allowed.example"), Rules.allow("api.allowed.example")));
        assertThat(probes.make("tls", "allowed.example", 443, "allowed.example", Probes.get("allowed.example", "/"), options("{'verify': true}")).got()).startsWith("HTTP/1.1 200").contains("\"sni\":\"allowed.example\"");
        assertThat(probes.make("tls", "allowed.example", 443, "allowed.example", "", options("{'chosen': true, 'alpn': ['h2', 'http/1.1']}")).got()).isEqualTo("http/1.1");
        assertThat(probes.make("tls", "allowed.example", 443, "allowed.example", "", options("{'issuer': true, 'verify': true}")).got()).doesNotContain("Test internet");
        // What is not opened shows its own certificate.
        assertThat(probes.make("tls", "api.allowed.example", 443, "api.allowed.example", "", options("{'issuer': true, 'verify': true}")).got()).contains("Test internet");
        int then = CAISSON.internet().now();
        var tried = List.of(
                probe("tls", "allowed.example", 443, "denied.example", Probes.get("allowed.example", "/")), probe("tls", "allowed.example", 443, "", Probes.get("allowed.example", "/")),
                probe("tls", "allowed.example", 443, "allowed.example", Probes.get("fronted.example", "/")), probe("tls", "allowed.example", 443, "allowed.example", Probes.get("denied.example", "/")),
                probe("tls", "allowed.example", 443, "allowed.example", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0", options("{'alpn': ['h2']}")));
        assertThat(probes.make(tried)).noneMatch(outcome -> outcome.got().contains("\"address\""));
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"expired.example", "notyet.example", "selfsigned.example", "otherca.example", "wrongname.example"})
    void anUpstreamThatCannotBeTrustedIsNotAsked(String name) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.opened(name)));
        int then = CAISSON.internet().now();
        var outcome = probes.make("tls", name, 443, name, Probes.get(name, "/"), options("{'verify': true}"));
        assertThat(outcome.got()).doesNotContain("\"address\"").doesNotStartWith("HTTP/1.1 200");
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http")).extracting(Internet.Event::kind).contains("tls");
    }

    @Test
    void everySandboxHasItsOwnAuthority() throws Exception {
        var one = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.opened("allowed.example")));
        var other = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.opened("allowed.example")));
        String show = "openssl s_client -connect allowed.example:443 -servername allowed.example -showcerts < /dev/null 2> /dev/null | sed -n '/BEGIN/,/END/p'";
        String ones = one.bash(show);
        assertThat(ones).contains("BEGIN CERTIFICATE");
        assertThat(other.bash(show)).contains("BEGIN CERTIFICATE").isNotEqualTo(ones);
        other.bash("cat > /tmp/theirs.pem <<'PEM'\n" + ones + "PEM");
        // The one's chain means nothing to the other.
        assertThat(other.bash("csplit -s -z -f /tmp/c /tmp/theirs.pem '/BEGIN/' '{*}'; openssl verify -untrusted /tmp/theirs.pem /tmp/c00 && echo TRUSTED")).doesNotContain("TRUSTED");
        assertThat(one.bash(show + " > /tmp/own.pem; csplit -s -z -f /tmp/c /tmp/own.pem '/BEGIN/' '{*}'; openssl verify -untrusted /tmp/own.pem /tmp/c00 && echo TRUSTED")).contains("TRUSTED");
    }
}
