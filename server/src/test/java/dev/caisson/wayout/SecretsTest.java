package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.egress.SealKey;
import dev.caisson.egress.SecretSeal;
import dev.caisson.egress.SecretValue;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import dev.caisson.sandbox.SecretBinding.Place;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Internet;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A sandbox uses a secret that it never has: the value goes to its host, in its place of a request, in TLS, and nowhere else.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class SecretsTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    private static final String VALUE = "canary-value-5f2c91";

    private static SecretBinding secret(String name, Set<Place> places, String... hosts) {
        return SecretSeal.of(CAISSON.home().home().gateway().resolve(SealKey.PUBLIC_FILE), new SecureRandom())
                .bind(name, Arrays.stream(hosts).map(HostPattern::parse).toList(), places, SecretValue.taking(VALUE.toCharArray()));
    }

    private static Egress with(SecretBinding secret, EgressRule... rules) {
        var egress = Rules.list(rules);
        return new Egress(egress.layers(), egress.budget(), List.of(secret));
    }

    private static Probes.Probe over(String host, String request) {
        return probe("tls", host, 443, host, request, Probes.options("{'verify': true}"));
    }

    private static String get(String host, String target, String fields) {
        return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "Connection: close\r\n\r\n";
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theHostGetsTheValueAndTheSandboxNeverHasIt(Tier tier) throws Exception {
        var secret = secret("API_KEY", Set.of(Place.HEADER), "allowed.example");
        var probes = Probes.in(CAISSON, tier, with(secret, Rules.allow("api.allowed.example")));
        String placeholder = secret.placeholder();
        int then = CAISSON.internet().now();
        String said = probes.make(over("allowed.example", get("allowed.example", "/headers?q=" + placeholder, "Authorization: Bearer " + placeholder + "\r\nX-Two: " + placeholder + " " + placeholder + "\r\n"))).got();
        assertThat(said).startsWith("HTTP/1.1 200");
        assertThat(seen(then)).contains("\"Bearer " + VALUE + "\"").contains("\"" + VALUE + " " + VALUE + "\"").contains("q=" + placeholder);
        // What the site shows of what it was sent is the placeholder again.
        assertThat(said).contains("\"Bearer " + placeholder + "\"").doesNotContain(VALUE);
        // As clients send it that encode it before: the user and the password of HTTP's Basic.
        int again = CAISSON.internet().now();
        String basic = Base64.getEncoder().encodeToString(("me:" + VALUE).getBytes(StandardCharsets.UTF_8));
        assertThat(probes.bash("curl -sS -u me:" + placeholder + " https://allowed.example/headers")).doesNotContain(basic);
        assertThat(seen(again)).contains("\"Basic " + basic + "\"");
        // Nothing of it is inside, or on the host's disk.
        assertThat(probes.bash("env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; grep -rs canary-v[a]lue /etc /home /root /run /tmp /usr/local")).doesNotContain("canary-value");
        assertThat(written(CAISSON.home().path())).as("files of the installation that hold the value").isEmpty();
    }

    /// What the site was sent since then.
    private static String seen(int then) throws Exception {
        return String.join("\n", CAISSON.internet().since(then).stream().filter(event -> event.kind().equals("request")).map(Internet.Event::what).toList());
    }

    private static List<Path> written(Path below) throws Exception {
        try (var files = Files.walk(below)) {
            return files.filter(Files::isRegularFile).filter(file -> !file.startsWith(below.resolve("image")) && !file.startsWith(below.resolve("bin"))).filter(file -> {
                try {
                    return Files.size(file) < 16 << 20 && new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(VALUE);
                } catch (java.io.IOException _) {
                    return false;
                }
            }).toList();
        }
    }

    @Test
    void elsewhereAPlaceholderIsOnlyAText() throws Exception {
        var secret = secret("API_KEY", Set.of(Place.HEADER, Place.QUERY, Place.BODY), "allowed.example");
        var probes = Probes.in(CAISSON, Tier.CONTAINER, with(secret, Rules.opened("api.allowed.example"), Rules.allow("allowed.example"), Rules.allow("fronted.example")));
        String field = "X-Key: " + secret.placeholder() + "\r\n";
        int then = CAISSON.internet().now();
        var outcomes = probes.make(List.of(
                // Another host, opened or plain; the bound one without TLS; the bound name in another's connection, and the other way round.
                over("api.allowed.example", get("api.allowed.example", "/headers?q=" + secret.placeholder(), field)), probe("http", "api.allowed.example", 80, get("api.allowed.example", "/headers", field)),
                probe("http", "allowed.example", 80, get("allowed.example", "/headers", field)), probe("http", "fronted.example", 80, get("fronted.example", "/headers", field)),
                over("api.allowed.example", get("allowed.example", "/headers", field)), over("allowed.example", get("api.allowed.example", "/headers", field))));
        assertThat(outcomes).noneMatch(outcome -> outcome.got().contains(VALUE));
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.what().contains(VALUE));
        assertThat(outcomes.getFirst().got()).contains(secret.placeholder());
        assertThat(CAISSON.node().flows(probes.id(), 0, 1000)).as("that it was tried is told").anyMatch(flow -> flow.host().equals("api.allowed.example") && flow.rule().equals("secret:API_KEY") && !flow.allowed())
                .noneMatch(flow -> flow.toString().contains(VALUE));
        // The positive twin.
        assertThat(probes.make(over("allowed.example", get("allowed.example", "/headers", field))).got()).startsWith("HTTP/1.1 200");
        assertThat(seen(then)).contains(VALUE);
    }

    @Test
    void itGoesIntoThePlacesThatWereNamed() throws Exception {
        for (Place place : Place.values()) {
            var secret = secret("KEY", Set.of(place), "allowed.example");
            var probes = Probes.in(CAISSON, Tier.CONTAINER, with(secret));
            String p = secret.placeholder();
            int then = CAISSON.internet().now();
            probes.make(over("allowed.example", "POST /headers?q=" + p + " HTTP/1.1\r\nHost: allowed.example\r\nX-Key: " + p + "\r\nContent-Type: text/plain\r\nContent-Length: " + (p.length() + 2) + "\r\nConnection: close\r\n\r\n<" + p + ">"));
            String said = seen(then);
            assertThat(said).contains(place == Place.HEADER ? "\"" + VALUE + "\"" : "\"" + p + "\"").contains(place == Place.QUERY ? "\"q=" + VALUE : "\"q=" + p);
            assertThat(said).contains(place == Place.BODY ? VALUE + "\\u003e" : p + "\\u003e");
            // In chunks, cut in the middle of the placeholder.
            int again = CAISSON.internet().now();
            probes.make(over("allowed.example", "POST /headers HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + "5\r\n" + p.substring(0, 5) + "\r\n" + Integer.toHexString(p.length() - 5) + "\r\n"
                    + p.substring(5) + "\r\n0\r\n\r\n"));
            assertThat(seen(again)).contains("\"body\":\"" + (place == Place.BODY ? VALUE : p) + "\"");
        }
    }

    @Test
    void otherLayersMustAllowItsHostToo() throws Exception {
        var secret = secret("API_KEY", Set.of(Place.HEADER), "allowed.example");
        var request = Rules.list().layers().getFirst();
        var operator = new dev.caisson.sandbox.EgressLayer("operator", dev.caisson.sandbox.EgressLayer.Mode.LIST, List.of(Rules.allow("api.allowed.example")));
        var probes = Probes.in(CAISSON, Tier.CONTAINER, new Egress(List.of(request, operator), dev.caisson.sandbox.EgressBudget.DEFAULT, List.of(secret)));
        int then = CAISSON.internet().now();
        assertThat(probes.make(over("allowed.example", get("allowed.example", "/headers", "X-Key: " + secret.placeholder() + "\r\n"))).ok()).isFalse();
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http") || event.kind().equals("tls"));
    }

    @Test
    void aCertificateThatIsNotTheHostsGetsNothing() throws Exception {
        for (String host : List.of("expired.example", "selfsigned.example", "otherca.example", "wrongname.example")) {
            var secret = secret("API_KEY", Set.of(Place.HEADER), host);
            var probes = Probes.in(CAISSON, Tier.CONTAINER, with(secret));
            int then = CAISSON.internet().now();
            probes.make(over(host, get(host, "/headers", "X-Key: " + secret.placeholder() + "\r\n")));
            assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http"));
        }
    }
}
