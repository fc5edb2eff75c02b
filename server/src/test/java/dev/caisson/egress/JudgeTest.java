package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.HttpMatch;
import dev.caisson.sandbox.SecretBinding;
import java.net.InetAddress;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class JudgeTest {
    private static final EgressLayer CEILING = new EgressLayer("operator", EgressLayer.Mode.OPEN, List.of());
    private static final Set<EgressProtocol> ALL = Set.of(EgressProtocol.values());

    @Test
    void nothingLeavesUnlessSomebodySaysSo() {
        var judge = new Judge(Egress.NONE);
        assertThat(judge.mayLookUp("a.example")).isFalse();
        refused(judge.connect("a.example", 443), "request:default", "nothing may leave");
        refused(judge.connect(ip("192.0.2.7"), 443), "request:default", "nothing may leave");
        refused(new Judge(egress(open(), layer("operator", EgressLayer.Mode.NONE))).connect("a.example", 443), "operator:default", "nothing may leave");
    }

    @Test
    void onlyWhatIsNamedIsAllowedAndTheRuleIsNamed() {
        var judge = judge(list(EgressRule.allow("a.example"), EgressRule.allow("*.b.example:8443").withName("bees")));
        admitted(judge.connect("a.example", 443), "request:1", EgressRule.SEEN);
        admitted(judge.connect("a.example", 80), "request:1", EgressRule.SEEN);
        admitted(judge.connect("x.y.b.example", 8443), "request:bees", EgressRule.SEEN);
        refused(judge.connect("a.example", 8443), "request:default", "no rule of layer request allows a.example at port 8443");
        refused(judge.connect("b.example", 8443), "request:default", "b.example");
        assertThat(judge.mayLookUp("a.example")).isTrue();
        assertThat(judge.mayLookUp("x.b.example")).isTrue();
        assertThat(judge.mayLookUp("b.example")).isFalse();
    }

    @Test
    void wildcardsEndAtLabels() {
        var judge = judge(list(EgressRule.allow("*.allowed.example"), EgressRule.allow("allowed.example")));
        for (String host : List.of("allowed.example", "a.allowed.example", "a.b.allowed.example", "allowed.example.allowed.example")) {
            assertThat(judge.mayLookUp(host)).as(host).isTrue();
            assertThat(Judge.protocols(judge.connect(host, 443))).as(host).isNotEmpty();
        }
        for (String host : List.of("evilallowed.example", "allowed.example.evil.test", "a.evilallowed.example", "llowed.example", "example", "a.example", "allowed-example", "xallowed.example")) {
            assertThat(judge.mayLookUp(host)).as(host).isFalse();
            assertThat(Judge.protocols(judge.connect(host, 443))).as(host).isEmpty();
        }
    }

    @Test
    void theFirstRuleThatFitsDecides() {
        var judge = judge(list(EgressRule.deny("a.x.example:443"), EgressRule.allow("*.x.example"), EgressRule.deny("b.x.example")));
        refused(judge.connect("a.x.example", 443), "request:1", "denied: a.x.example");
        admitted(judge.connect("a.x.example", 80), "request:2", EgressRule.SEEN);
        admitted(judge.connect("b.x.example", 443), "request:2", EgressRule.SEEN);
    }

    @Test
    void everyLayerMustAllow() {
        var judge = new Judge(egress(list(EgressRule.allow("a.example"), EgressRule.allow("b.example")), layer("tenant", EgressLayer.Mode.LIST, EgressRule.allow("a.example/tls")),
                layer("operator", EgressLayer.Mode.OPEN, EgressRule.deny("b.example"))));
        admitted(judge.connect("a.example", 443), "request:1", Set.of(EgressProtocol.TLS));
        refused(judge.connect("a.example", 80), "tenant:default", "no rule of layer tenant");
        refused(judge.connect("b.example", 443), "tenant:default", "no rule of layer tenant");
        assertThat(judge.mayLookUp("b.example")).isFalse();
    }

    /// One layer allows one port, the other another: there is nothing to look it up for.
    @Test
    void whatNoPortHasInCommonIsNotLookedUp() {
        var apart = new Judge(egress(list(EgressRule.allow("a.example:1000-2000")), layer("tenant", EgressLayer.Mode.LIST, EgressRule.allow("a.example:2001-3000"))));
        assertThat(apart.mayLookUp("a.example")).isFalse();
        var touching = new Judge(egress(list(EgressRule.allow("a.example:1000-2000")), layer("tenant", EgressLayer.Mode.LIST, EgressRule.allow("a.example:2000-3000"))));
        assertThat(touching.mayLookUp("a.example")).isTrue();
        var otherwise = new Judge(egress(list(EgressRule.allow("a.example:1000/tls")), layer("tenant", EgressLayer.Mode.LIST, EgressRule.allow("a.example:1000/http"))));
        assertThat(otherwise.mayLookUp("a.example")).isFalse();
    }

    @Test
    void rawIsWhatEveryLayerAllowsUnseen() {
        var git = EgressRule.allow("git.example:22/tcp");
        admitted(judge(list(git)).connect("git.example", 22), "request:1", ALL);
        admitted(new Judge(egress(list(git), layer("tenant", EgressLayer.Mode.LIST, EgressRule.allow("git.example:22")))).connect("git.example", 22), "request:1", EgressRule.SEEN);
        admitted(new Judge(egress(open(), CEILING)).connect("a.example", 9), "request:default", ALL);
    }

    /// Raw bytes could be the very thing that is denied.
    @Test
    void rawIsNotAllowedWhereAnythingIsDenied() {
        var raw = EgressRule.allow("a.example:443/tcp");
        admitted(judge(list(EgressRule.deny("a.example/http"), raw)).connect("a.example", 443), "request:2", Set.of(EgressProtocol.TLS));
        var post = new EgressRule("", EgressRule.Action.DENY, EgressTarget.parse("a.example"), List.of(), EgressRule.SEEN, List.of(new HttpMatch(Set.of("POST"), List.of())), false);
        var judge = judge(list(post, raw));
        assertThat(judge.connect("a.example", 443)).isEqualTo(new Admission.Admitted("request:2", EgressRule.SEEN, true, false));
        assertThat(judge.request("a.example", 443, EgressProtocol.TLS, "POST", "/")).isEqualTo(Decision.deny("request:1", "denied: a.example"));
        assertThat(judge.request("a.example", 443, EgressProtocol.TLS, "GET", "/")).isEqualTo(Decision.allow("request:2"));
    }

    @Test
    void requestsAreJudgedOneByOne() {
        var read = http(EgressRule.Action.ALLOW, "api.x.example", "GET", "/v1/*");
        var judge = judge(list(read, http(EgressRule.Action.ALLOW, "api.x.example", "POST", "/v1/jobs"), EgressRule.deny("api.x.example"), EgressRule.allow("*.x.example")));
        assertThat(judge.connect("api.x.example", 443)).isEqualTo(new Admission.Admitted("request:1", EgressRule.SEEN, true, false));
        assertThat(judge.connect("www.x.example", 443)).isEqualTo(new Admission.Admitted("request:4", EgressRule.SEEN, false, false));
        assertThat(judge.request("api.x.example", 443, EgressProtocol.TLS, "GET", "/v1/x")).isEqualTo(Decision.allow("request:1"));
        assertThat(judge.request("api.x.example", 80, EgressProtocol.HTTP, "POST", "/v1/jobs")).isEqualTo(Decision.allow("request:2"));
        assertThat(judge.request("api.x.example", 443, EgressProtocol.TLS, "POST", "/v1/x")).isEqualTo(Decision.deny("request:3", "denied: api.x.example"));
        assertThat(judge.request("api.x.example", 443, EgressProtocol.TLS, "GET", "/v2")).isEqualTo(Decision.deny("request:3", "denied: api.x.example"));
        assertThat(judge.request("api.x.example", 8443, EgressProtocol.TLS, "GET", "/v1/x").allowed()).isFalse();
        var alone = judge(list(read)).request("api.x.example", 443, EgressProtocol.TLS, "DELETE", "/v1/x");
        assertThat(alone).isEqualTo(Decision.deny("request:default", "no rule of layer request allows this request to api.x.example"));
    }

    @Test
    void anotherLayersRequestsAreLookedIntoToo() {
        var judge = new Judge(egress(open(), layer("operator", EgressLayer.Mode.OPEN, http(EgressRule.Action.DENY, "api.example", "DELETE", "/*"))));
        assertThat(judge.connect("api.example", 443)).isEqualTo(new Admission.Admitted("request:default", EgressRule.SEEN, true, false));
        assertThat(judge.request("api.example", 443, EgressProtocol.TLS, "DELETE", "/x")).isEqualTo(Decision.deny("operator:1", "denied: api.example"));
        assertThat(judge.request("api.example", 443, EgressProtocol.TLS, "GET", "/x")).isEqualTo(Decision.allow("request:default"));
    }

    @Test
    void addressesAreOnlyReachedByNetworks() {
        var judge = judge(list(EgressRule.deny("192.0.2.9"), EgressRule.allow("192.0.2.0/24:22"), EgressRule.allow("*.x.example")));
        admitted(judge.connect(ip("192.0.2.7"), 22), "request:2", ALL);
        refused(judge.connect(ip("192.0.2.9"), 22), "request:1", "denied: 192.0.2.9/32");
        refused(judge.connect(ip("192.0.2.7"), 443), "request:default", "no rule of layer request allows 192.0.2.7 at port 443");
        refused(judge.connect(ip("198.51.100.7"), 22), "request:default", "198.51.100.7");
        refused(judge.connect(ip("2001:db8::7"), 22), "request:default", "2001:db8");
        // A name that is not allowed does not become so by its address.
        assertThat(judge.mayLookUp("a.test")).isFalse();
        refused(judge.dial("a.test", ip("192.0.2.7"), 22), "request:default", "a.test");
    }

    @Test
    void openIsThePublicInternetAlone() {
        var judge = new Judge(egress(open(), CEILING));
        admitted(judge.connect(ip("192.0.2.7"), 5), "request:default", ALL);
        admitted(judge.dial("a.example", ip("2001:db8::7"), 5), "request:default", ALL);
        for (String address : List.of(
                "10.1.2.3", "172.16.0.1", "192.168.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "198.18.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1",
                "fd00::1", "ff02::1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::1", "2001::1", "fdca:1550:5::1", "::a00:1", "100::1")) {
            refused(judge.connect(ip(address), 443), "request:default", "and no rule of layer request allows its network");
            refused(judge.dial("a.example", ip(address), 443), "request:default", "and no rule of layer request allows its network");
        }
    }

    /// A name that may be reached and resolves to a private address, or to one that somebody denies.
    @Test
    void whatANameResolvesToIsJudgedInEveryLayer() {
        var lan = EgressRule.allow("10.0.0.0/8");
        var request = list(EgressRule.allow("db.example:5432/tcp"), lan);
        refused(judge(list(EgressRule.allow("db.example:5432/tcp"))).dial("db.example", ip("10.1.2.3"), 5432), "request:default", "10.1.2.3 is private");
        refused(new Judge(egress(request, CEILING)).dial("db.example", ip("10.1.2.3"), 5432), "operator:default", "no rule of layer operator allows its network");
        var judge = new Judge(egress(request, layer("operator", EgressLayer.Mode.OPEN, EgressRule.deny("10.1.2.4"), EgressRule.allow("10.1.0.0/16"), EgressRule.deny("192.0.2.0/24"))));
        admitted(judge.dial("db.example", ip("10.1.2.3"), 5432), "request:1", ALL);
        admitted(judge.dial("db.example", ip("64:ff9b::a01:203"), 5432), "request:1", ALL);
        admitted(judge.connect(ip("10.1.2.3"), 5432), "request:2", ALL);
        admitted(judge.dial("db.example", ip("198.51.100.7"), 5432), "request:1", ALL);
        refused(judge.dial("db.example", ip("10.2.2.3"), 5432), "operator:default", "10.2.2.3 is private");
        refused(judge.dial("db.example", ip("10.1.2.4"), 5432), "operator:1", "denied: 10.1.2.4/32");
        refused(judge.dial("db.example", ip("192.0.2.7"), 5432), "operator:3", "denied: 192.0.2.0/24");
        refused(judge.dial("db.example", ip("64:ff9b::c000:207"), 5432), "operator:3", "denied: 192.0.2.0/24");
        refused(judge.dial("db.example", ip("127.0.0.1"), 5432), "request:default", "the machine itself");
    }

    /// `0.0.0.0/0` is meant as the internet, not as the machine's own network.
    @Test
    void aRuleForEverythingOpensNothingPrivate() {
        var judge = judge(list(EgressRule.allow("0.0.0.0/0"), EgressRule.allow("::/0"), EgressRule.allow("192.168.0.0/16")));
        admitted(judge.connect(ip("192.0.2.7"), 443), "request:1", ALL);
        admitted(judge.connect(ip("2001:db8::7"), 443), "request:2", ALL);
        admitted(judge.connect(ip("192.168.1.1"), 443), "request:3", ALL);
        for (String address : List.of("10.1.2.3", "127.0.0.1", "::1", "fe80::1", "fd00::1", "0.0.0.0", "64:ff9b::a00:1")) {
            refused(judge.connect(ip(address), 443), "request:default", "no rule of layer request allows its network");
        }
    }

    @Test
    void metadataIsNeverReached() {
        var everything = list(EgressRule.allow("169.254.0.0/16"), EgressRule.allow("100.64.0.0/10"), EgressRule.allow("0.0.0.0/0"), EgressRule.allow("::/0"), EgressRule.allow("fe80::/10"),
                EgressRule.allow("fc00::/7"), EgressRule.allow("64:ff9b:1::/48"), EgressRule.allow("192.0.0.0/24"), EgressRule.allow("2002::/16"), EgressRule.allow("*.google.internal"),
                EgressRule.allow("a.example"));
        for (Judge judge : List.of(new Judge(new Egress(List.of(everything), EgressBudget.DEFAULT, List.of())), new Judge(egress(open(), CEILING)))) {
            for (String address : List.of(
                    "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.20.10", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe",
                    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::", "::a9fe:a9fe", "::ffff:a9fe:a9fe", "64:ff9b::6464:64c8")) {
                refused(judge.connect(ip(address), 80), "metadata", "metadata service");
                refused(judge.dial("a.example", ip(address), 80), "metadata", "metadata service");
            }
            for (String name : List.of("metadata.google.internal", "metadata", "instance-data", "metadata.azure.internal", "x.metadata.google.internal")) {
                assertThat(judge.mayLookUp(name)).as(name).isFalse();
                refused(judge.connect(name, 80), "metadata", "metadata service");
                refused(judge.dial(name, ip("192.0.2.7"), 80), "metadata", "metadata service");
                assertThat(judge.request(name, 80, EgressProtocol.HTTP, "GET", "/").allowed()).isFalse();
            }
        }
    }

    @Test
    void aDeniedNameIsDeniedOnTheWayToAnAddressToo() {
        var judge = new Judge(egress(layer("request", EgressLayer.Mode.OPEN, EgressRule.allow("good.evil.example"), EgressRule.deny("*.evil.example").withName("evil")), CEILING));
        assertThat(judge.connect(ip("192.0.2.7"), 443)).isEqualTo(new Admission.Admitted("request:default", ALL, false, true));
        assertThat(judge.connect("a.example", 443)).isEqualTo(new Admission.Admitted("request:default", ALL, false, true));
        assertThat(judge.seen("www.evil.example", ip("192.0.2.7"), 443, EgressProtocol.TLS)).isEqualTo(Decision.deny("request:evil", "denied: *.evil.example"));
        assertThat(judge.seen("www.evil.example", ip("192.0.2.7"), 80, EgressProtocol.HTTP).allowed()).isFalse();
        assertThat(judge.seen("good.evil.example", ip("192.0.2.7"), 443, EgressProtocol.TLS).allowed()).isTrue();
        assertThat(judge.seen("a.example", ip("192.0.2.7"), 443, EgressProtocol.TLS).allowed()).isTrue();
        assertThat(judge.seen("metadata.google.internal", ip("192.0.2.7"), 443, EgressProtocol.TLS).allowed()).isFalse();
        assertThat(new Judge(egress(open(), CEILING)).connect(ip("192.0.2.7"), 443)).isEqualTo(new Admission.Admitted("request:default", ALL, false, false));
    }

    @Test
    void aNetworkBeforeADeniedNameStands() {
        var network = EgressRule.allow("192.0.2.0/24");
        var name = EgressRule.deny("evil.example");
        assertThat(judge(list(network, name)).seen("evil.example", ip("192.0.2.7"), 443, EgressProtocol.TLS)).isEqualTo(Decision.allow("request:1"));
        assertThat(judge(list(name, network)).seen("evil.example", ip("192.0.2.7"), 443, EgressProtocol.TLS)).isEqualTo(Decision.deny("request:1", "denied: evil.example"));
    }

    @Test
    void theHostsOfASecretAreAllowedAndLookedInto() {
        var secret = new SecretBinding("KEY", "csn-0123456789abcdefghijkl", List.of(HostPattern.parse("api.example"), HostPattern.parse("*.api.example")), Set.of(), "AA==");
        var judge = new Judge(new Egress(List.of(list(EgressRule.allow("other.example")), CEILING), EgressBudget.DEFAULT, List.of(secret)));
        assertThat(judge.mayLookUp("api.example")).isTrue();
        assertThat(judge.connect("api.example", 443)).isEqualTo(new Admission.Admitted("secret:KEY", Set.of(EgressProtocol.TLS), true, false));
        assertThat(judge.request("x.api.example", 443, EgressProtocol.TLS, "POST", "/")).isEqualTo(Decision.allow("secret:KEY"));
        refused(judge.connect("api.example", 80), "request:default", "api.example");
        refused(judge.connect("api.example", 8443), "request:default", "api.example");
        assertThat(judge.secretsFor("x.api.example")).containsExactly(secret);
        assertThat(judge.secretsFor("xapi.example")).isEmpty();
        assertThat(judge.secretsFor("api.example.evil.test")).isEmpty();

        var narrow = new Judge(new Egress(List.of(list(), layer("operator", EgressLayer.Mode.LIST, EgressRule.allow("a.example"))), EgressBudget.DEFAULT, List.of(secret)));
        refused(narrow.connect("api.example", 443), "operator:default", "api.example");
        assertThat(narrow.mayLookUp("api.example")).isFalse();

        // Everything may leave unseen, but not what the secret goes into.
        var wide = new Judge(new Egress(List.of(open(), CEILING), EgressBudget.DEFAULT, List.of(secret)));
        assertThat(wide.connect("api.example", 443)).isEqualTo(new Admission.Admitted("secret:KEY", EgressRule.SEEN, true, false));
        assertThat(wide.connect("api.example", 8443)).isEqualTo(new Admission.Admitted("request:default", EgressRule.SEEN, true, false));

        // Whoever names the host himself says how far it goes.
        var limited = new Judge(new Egress(List.of(list(http(EgressRule.Action.ALLOW, "api.example", "GET", "/v1"), EgressRule.deny("x.api.example")), CEILING), EgressBudget.DEFAULT, List.of(secret)));
        assertThat(limited.request("api.example", 443, EgressProtocol.TLS, "GET", "/v1")).isEqualTo(Decision.allow("request:1"));
        assertThat(limited.request("api.example", 443, EgressProtocol.TLS, "POST", "/v1").allowed()).isFalse();
        refused(limited.connect("x.api.example", 443), "request:2", "denied");
        assertThat(limited.mayLookUp("x.api.example")).isFalse();
    }

    private static EgressRule http(EgressRule.Action action, String host, String method, String path) {
        return new EgressRule("", action, EgressTarget.parse(host), EgressRule.WEB, EgressRule.SEEN, List.of(new HttpMatch(Set.of(method), List.of(path))), false);
    }

    private static Egress egress(EgressLayer... layers) {
        return new Egress(List.of(layers), EgressBudget.DEFAULT, List.of());
    }

    private static Judge judge(EgressLayer request) {
        return new Judge(egress(request));
    }

    private static EgressLayer list(EgressRule... rules) {
        return layer("request", EgressLayer.Mode.LIST, rules);
    }

    private static EgressLayer open() {
        return layer("request", EgressLayer.Mode.OPEN);
    }

    private static EgressLayer layer(String name, EgressLayer.Mode mode, EgressRule... rules) {
        return new EgressLayer(name, mode, List.of(rules));
    }

    private static InetAddress ip(String address) {
        return InetAddress.ofLiteral(address);
    }

    private static void admitted(Admission admission, String rule, Set<EgressProtocol> protocols) {
        assertThat(admission).isInstanceOfSatisfying(Admission.Admitted.class, it -> {
            assertThat(it.rule()).isEqualTo(rule);
            assertThat(it.protocols()).isEqualTo(protocols);
            assertThat(it.inspect()).isFalse();
        });
    }

    private static void refused(Admission admission, String rule, String reason) {
        assertThat(admission).isInstanceOfSatisfying(Admission.Refused.class, it -> {
            assertThat(it.rule()).isEqualTo(rule);
            assertThat(it.reason()).contains(reason);
        });
    }
}
