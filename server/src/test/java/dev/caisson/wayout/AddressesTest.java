package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.SandboxException;
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

/// A name's owner does not choose which network of ours is reached.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class AddressesTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    /// Names whose owner points them at what is nobody's business.
    private static final List<String> POINTED = List.of("private.example", "private172.example", "private192.example", "shared.example", "meta.example", "task.example", "alibaba.example", "azure.example", "oracle.example",
            "meta6.example", "linklocal6.example", "ula.example", "mapped.example", "compatible.example", "nat64.example", "sixtofour.example", "teredo.example", "loopback.example", "loopback6.example", "zero.example",
            "multicast.example", "broadcast.example", "reserved.example", "synthetic.example", "own.example", "own6.example", "cnamemeta.example", "metadata.google.internal");

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void anAllowedNameThatPointsInwardsIsNotFollowed(Tier tier) throws Exception {
        var rules = new ArrayList<EgressRule>();
        // A metadata service's name cannot be in a rule at all.
        POINTED.stream().filter(name -> !name.equals("metadata.google.internal")).forEach(name -> rules.add(Rules.raw(name, 80, 443, 22222)));
        rules.add(Rules.allow("allowed.example"));
        for (Egress egress : List.of(Rules.list(rules.toArray(EgressRule[]::new)), Rules.open())) {
            var probes = Probes.in(CAISSON, tier, egress);
            int then = CAISSON.internet().now();
            var tried = new ArrayList<Probe>();
            for (String name : POINTED) {
                tried.add(probe("tcp", name, 80, Probes.get(name, "/")));
                tried.add(probe("hello", name, 443, name));
            }
            assertThat(probes.make(tried)).noneMatch(outcome -> outcome.got().contains("SINK") || outcome.got().equals("record 22"));
            assertThat(CAISSON.internet().visitors(then)).as("with %s", egress).isEmpty();
            // The positive twin.
            assertThat(probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aNameThatFlipsReachesThePublicAddressOrNothing(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.allow("rebind.example"), Rules.allow("many.example")));
        int then = CAISSON.internet().now();
        boolean reached = false;
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        // What is wrong may be remembered for a while.
        for (int i = 0; i < 20 || !reached && System.nanoTime() < until; i++) {
            reached |= probes.make("http", "rebind.example", 80, Probes.get("rebind.example", "/")).got().startsWith("HTTP/1.1 200");
        }
        assertThat(reached).as("the name was public now and then; %s", CAISSON.internet().since(then).stream().filter(event -> event.kind().equals("dns")).toList()).isTrue();
        var many = probes.make("http", "many.example", 80, Probes.get("many.example", "/"));
        assertThat(many.got()).matches(got -> got.isEmpty() || got.contains("192.0.2.1") || !got.startsWith("HTTP/1.1 200"));
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        assertThat(CAISSON.internet().arrivals(then, "192.0.2.10")).isNotEmpty();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aPrivateNetworkIsReachedWhereARuleNamesIt(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.raw("10.0.0.0/24", 80), Rules.allow("private.example")));
        int then = CAISSON.internet().now();
        assertThat(probes.make("tcp", "10.0.0.1", 80, "x").got()).isEqualTo("SINK\n");
        assertThat(CAISSON.internet().visitors(then)).extracting(Internet.Event::to).containsOnly("10.0.0.1");
        probes.make(List.of(probe("tcp", "10.0.1.1", 80, "x"), probe("tcp", "10.0.0.1", 81, "x"), probe("tcp", "192.168.0.1", 80, "x"), probe("tcp", "169.254.169.254", 80, "x")));
        assertThat(CAISSON.internet().visitors(then)).extracting(Internet.Event::to, Internet.Event::port).containsOnly(org.assertj.core.groups.Tuple.tuple("10.0.0.1", 80));
        // A name that points there is then no trick.
        int again = CAISSON.internet().now();
        probes.make("http", "private.example", 80, Probes.get("private.example", "/"));
        assertThat(CAISSON.internet().visitors(again)).extracting(Internet.Event::to).containsOnly("10.0.0.1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"metadata.google.internal", "METADATA.google.internal.", "instance-data", "169.254.169.254", "fd00:ec2::254"})
    void aMetadataServiceCannotBeAllowed(String target) {
        assertThatThrownBy(() -> Rules.allow(target)).isInstanceOf(SandboxException.class).hasMessageContaining("metadata");
        assertThat(Rules.deny(target).action()).isEqualTo(EgressRule.Action.DENY);
    }

    @ParameterizedTest
    @ValueSource(strings = {"169.254.169.254/32", "169.254.0.0/16", "0.0.0.0/0", "::/0", "100.100.100.200", "168.63.129.16/32", "192.0.0.192/32", "169.254.170.2/32", "fd00:ec2::254", "fd00::/8", "fe80::/10", "127.0.0.0/8", "::1"})
    void metadataAndTheHostCannotBeNamed(String network) throws Exception {
        Egress egress;
        try {
            egress = Rules.list(Rules.raw(network), Rules.raw("meta.example"), Rules.raw("meta6.example"), Rules.allow("allowed.example"));
            assumeThat(egress).isNotNull();
        } catch (SandboxException _) {
            // Refused when it is said: better still.
            return;
        }
        Probes probes;
        try {
            probes = Probes.in(CAISSON, Tier.CONTAINER, egress);
        } catch (SandboxException _) {
            return;
        }
        int then = CAISSON.internet().now();
        var tried = new ArrayList<Probe>();
        for (String address : List.of("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fe80::a9fe:a9fe%eth0", Internet.HOST, Internet.HOST6, "meta.example", "meta6.example",
                "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1")) {
            tried.add(probe("tcp", address, 80, "x"));
        }
        assertThat(probes.make(tried)).noneMatch(outcome -> outcome.got().contains("SINK"));
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        assertThat(probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aRedirectIsANewAttempt(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.opened("allowed.example")));
        int then = CAISSON.internet().now();
        for (String to : List.of("http://denied.example/", "https://denied.example/", "http://169.254.169.254/latest/", "http://[fd00:ec2::254]/", "http://10.0.0.1/", "http://" + Internet.HOST + ":22222/", "http://127.0.0.1:22222/")) {
            for (String scheme : List.of("http", "https")) {
                String said = probes.bash("curl -sS -m 10 -L -w '%{http_code} %{num_redirects}' '" + scheme + "://allowed.example/redirect?to=" + to + "'");
                assertThat(said).doesNotContain("SINK").doesNotContain("\"address\"").contains(" 1");
            }
        }
        assertThat(probes.bash("curl -sS -m 10 -i https://allowed.example/alternative")).contains("\"ok\":true");
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        assertThat(CAISSON.internet().arrivals(then, "192.0.2.20")).isEmpty();
        // The positive twin: one to an allowed host is followed.
        assertThat(probes.bash("curl -sS -m 10 -L 'http://allowed.example/redirect?to=http://allowed.example/'")).contains("\"address\"");
    }

    @Test
    void anAliasIsItsOwnersMatter() throws Exception {
        // What an allowed name's owner serves it from is the owner's choice; the other name stays denied, by name, Host and server name.
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.hosts("cname.allowed.example"));
        int then = CAISSON.internet().now();
        probes.make(List.of(probe("dns", "denied.example", "A"), probe("http", "cname.allowed.example", 80, Probes.get("denied.example", "/")), probe("hello", "cname.allowed.example", 443, "denied.example")));
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.name().equals("denied.example"));
        assertThat(probes.make("http", "cname.allowed.example", 80, Probes.get("cname.allowed.example", "/")).got()).contains("\"address\":\"192.0.2.20\"");
    }
}
