package dev.caisson.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.HttpMatch;
import dev.caisson.sandbox.PortRange;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.SecretBinding;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class EgressFormsTest {
    private static final Instant TIME = Instant.parse("2026-02-03T04:05:06.789Z");
    private static final String SEALED = "c2VhbGVk";
    private static final SecretBinding SECRET = new SecretBinding(
            "API_KEY", "csn-0123456789abcdefghijkl", List.of(HostPattern.parse("api.example.com"), HostPattern.parse("*.example.org")),
            EnumSet.of(SecretBinding.Place.HEADER, SecretBinding.Place.QUERY), SEALED);
    private static final HttpMatch GETS = new HttpMatch(Set.of("GET", "HEAD"), List.of("/v1/*"));
    private static final EgressTarget HOST = EgressTarget.parse("*.example.com");
    private static final EgressTarget NETWORK = EgressTarget.parse("2001:db8::/32");
    private static final List<EgressRule> RULES = List.of(
            EgressRule.allow(HOST),
            EgressRule.deny(EgressTarget.parse("example.com")).withName("not:this"),
            EgressRule.allow(NETWORK),
            EgressRule.deny(NETWORK).withPorts(List.of(PortRange.of(25))),
            EgressRule.allow("a.example").withPorts(List.of(PortRange.of(443), new PortRange(8000, 8100))),
            EgressRule.allow("b.example").withPorts(List.of()).withProtocols(EnumSet.allOf(EgressProtocol.class)),
            new EgressRule("seen", EgressRule.Action.ALLOW, EgressTarget.parse("c.example"), EgressRule.WEB, Set.of(EgressProtocol.TLS), List.of(), true),
            new EgressRule("", EgressRule.Action.ALLOW, EgressTarget.parse("d.example"), EgressRule.WEB, EgressRule.SEEN, List.of(GETS), true),
            new EgressRule("", EgressRule.Action.DENY, EgressTarget.parse("e.example"), List.of(), EgressRule.SEEN, List.of(GETS, new HttpMatch(Set.of("PUT"), List.of())), true));
    private static final Egress EGRESS = new Egress(
            List.of(new EgressLayer("request", EgressLayer.Mode.LIST, RULES), new EgressLayer("operator", EgressLayer.Mode.OPEN, List.of())),
            new EgressBudget(7, ByteSize.mib(9), 11), List.of(SECRET));

    @Test
    void everyRecordComesBackAsItWent() {
        RULES.forEach(rule -> same(Forms.EGRESS_RULE, rule));
        same(Forms.EGRESS_LAYER, EgressLayer.NONE);
        same(Forms.EGRESS_BUDGET, EgressBudget.DEFAULT);
        same(Forms.SECRET_BINDING, SECRET);
        same(Forms.EGRESS, EGRESS);
        same(Forms.EGRESS, Egress.NONE);
        same(Forms.EGRESS_SHOWN, new Egress(EGRESS.layers(), EGRESS.budget(), List.of()));
        same(Forms.SANDBOX_SPEC, SandboxSpec.defaults().withEgress(EGRESS));
        same(Forms.FLOW, new Flow(3, TIME, TIME.plusSeconds(1), "a.example", "192.0.2.7", 443, "tls", "GET /x", "request:1", true, "", 5, 6, 7));
        same(Forms.FLOW, new Flow(0, TIME, TIME, "", "", 0, "47", "", "", false, "no such way out", 0, 0, 1));
    }

    @Test
    void isShortWhereNothingIsUnusual() {
        assertThat(text(Forms.EGRESS_RULE, EgressRule.allow(HOST))).isEqualTo("{\"allow\":\"*.example.com\"}");
        assertThat(text(Forms.EGRESS_RULE, RULES.get(4))).isEqualTo("{\"allow\":\"a.example\",\"ports\":[443,\"8000-8100\"]}");
        assertThat(text(Forms.EGRESS_RULE, RULES.get(5))).isEqualTo("{\"allow\":\"b.example\",\"ports\":[],\"protocols\":[\"tls\",\"http\",\"tcp\"]}");
        assertThat(text(Forms.EGRESS_RULE, RULES.get(7))).isEqualTo("{\"allow\":\"d.example\",\"methods\":[\"GET\",\"HEAD\"],\"paths\":[\"/v1/*\"]}");
        assertThat(text(Forms.EGRESS_RULE, RULES.get(8))).isEqualTo("{\"deny\":\"e.example\",\"requests\":[{\"methods\":[\"GET\",\"HEAD\"],\"paths\":[\"/v1/*\"]},{\"methods\":[\"PUT\"]}]}");
        assertThat(text(Forms.EGRESS, Egress.NONE)).isEqualTo(
                "{\"layers\":[{\"name\":\"request\",\"mode\":\"none\",\"rules\":[]}],\"budget\":{\"connections\":512,\"bytes\":0,\"requests_per_second\":200},\"secrets\":[]}");
    }

    /// A rule that a person writes.
    @Test
    void readsShortForms() {
        EgressLayer layer = layer("{\"rules\":[\"a.example\",\"b.example:8443\",\"c.example:22/tcp\",\"192.0.2.0/24\",{\"allow\":\"d.example\",\"ports\":[\"443\"]}]}");
        assertThat(layer).isEqualTo(new EgressLayer("request", EgressLayer.Mode.LIST, List.of(
                EgressRule.allow("a.example"), EgressRule.allow("b.example:8443"), EgressRule.allow("c.example:22/tcp"), EgressRule.allow(EgressTarget.parse("192.0.2.0/24")),
                EgressRule.allow("d.example:443"))));
        assertThat(layer("{}")).isEqualTo(EgressLayer.NONE);
        assertThat(layer("{\"mode\":\"open\"}").mode()).isEqualTo(EgressLayer.Mode.OPEN);
        assertThat(rule("{\"deny\":\"a.example\",\"paths\":[\"/x\"]}").protocols()).isEqualTo(EgressRule.SEEN);
    }

    @Test
    void aPresetStandsForItsRules() {
        var form = Forms.egressLayer(name -> List.of(EgressRule.allow(name + ".example"), EgressRule.allow(name + ".test")));
        var layer = form.read("{\"rules\":[\"a.example\",{\"preset\":\"b\"}]}".getBytes(StandardCharsets.UTF_8));
        assertThat(layer.rules()).containsExactly(EgressRule.allow("a.example"), EgressRule.allow("b.example"), EgressRule.allow("b.test"));
        refused(form, "{\"rules\":[{\"preset\":\"b\",\"ports\":[1]}]}", Failure.Code.BAD_REQUEST, "unknown key 'rules[0].ports'");
        refused(Forms.EGRESS_LAYER, "{\"rules\":[{\"preset\":\"b\"}]}", Failure.Code.BAD_REQUEST, "the preset 'b' cannot be named here");
    }

    @Test
    void whatIsSealedStaysInside() {
        var spec = SandboxSpec.defaults().withEgress(EGRESS);
        var info = new SandboxInfo(new SandboxId("sbabcdefghijklmnopqr"), spec, SandboxState.RUNNING, "sha256:ab", TIME, TIME, 1);
        assertThat(text(Forms.SANDBOX_INFO, info)).contains(SEALED);
        assertThat(text(Forms.SANDBOX_INFO_SHOWN, info)).contains("csn-0123456789abcdefghijkl", "*.example.org").doesNotContain(SEALED, "sealed");
        assertThat(text(Forms.EGRESS_SHOWN, EGRESS)).doesNotContain(SEALED, "sealed");
        assertThat(EGRESS.toString()).doesNotContain(SEALED);
    }

    /// Rows of earlier versions.
    @Test
    void whatSaysNothingOfEgressReachesNothing() {
        String now = text(Forms.SANDBOX_SPEC, SandboxSpec.defaults());
        String before = now.substring(0, now.indexOf(",\"egress\"")) + "}";
        assertThat(Forms.SANDBOX_SPEC.read(before.getBytes(StandardCharsets.UTF_8)).egress()).isEqualTo(Egress.NONE);
    }

    @Test
    void oneHostHasOneSpelling() {
        for (String spelling : List.of("BÜCHER.Example", "bücher.example.", "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE.")) {
            assertThat(rule("{\"allow\":\"" + spelling + "\"}")).as(spelling).isEqualTo(EgressRule.allow("xn--bcher-kva.example"));
        }
    }

    @Test
    void refusesBadRulesByName() {
        refusedRule("{}", "neither allows nor denies");
        refusedRule("{\"allow\":\"a.example\",\"deny\":\"a.example\"}", "both allows and denies");
        refusedRule("{\"allow\":7}", "'allow' must be a text, not a number");
        refusedRule("{\"allow\":\"a.example\",\"port\":443}", "unknown key 'port'");
        refusedRule("{\"allow\":\"a.example\",\"requests\":[],\"methods\":[\"GET\"]}", "methods or paths beside them");
        refusedRule("{\"allow\":\"a.example\",\"methods\":[]}", "neither methods nor paths");
        refusedRule("{\"allow\":\"a.example\",\"methods\":[\"get\"]}", "not an HTTP method: 'get'");
        refusedRule("{\"allow\":\"a.example\",\"paths\":[\"x\"]}", "not a path: 'x'");
        refusedRule("{\"allow\":\"a.example\",\"protocols\":[\"udp\"]}", "not a protocol: 'udp'");
        refusedRule("{\"allow\":\"a.example\",\"protocols\":[]}", "names no protocol");
        refusedRule("{\"allow\":\"a.example\",\"protocols\":[\"tcp\"],\"inspect\":true}", "lets raw TCP through and looks into requests");
        refusedRule("{\"allow\":\"192.0.2.0/24\",\"protocols\":[\"http\"],\"methods\":[\"GET\"]}", "addresses without a name");
        for (String bad : List.of("*", "*.*.example", "a.*.example", "*a.example", "a*.example", "*.", "*.com", "**.example.com")) {
            refusedRule("{\"allow\":\"" + bad + "\"}", bad.equals("*.com") ? "covers a whole top level" : "not a host");
        }
        for (String bad : List.of("", ".", "a..example", "-a.example", "a_.exa mple", "a.example..", "xn--a\u0000.example", "a/b", "a.example\n", "x".repeat(64) + ".example", "127.1", "0x7f.1", "2130706433")) {
            assertThatThrownBy(() -> rule("{\"allow\":\"" + bad.replace("\n", "\\n").replace("\u0000", "\\u0000") + "\"}")).as(bad).isInstanceOf(SandboxException.class);
        }
        for (String bad : List.of("192.0.2.1/24", "2001:db8::1/32")) {
            refusedRule("{\"allow\":\"" + bad + "\"}", "has bits behind its prefix");
        }
        for (String bad : List.of("192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "192.0.2/24", "192.0.02.0/24", "300.0.2.0/24", "::ffff:192.0.2.7", "fe80::1%eth0", "2001:db8::/129")) {
            assertThatThrownBy(() -> rule("{\"allow\":\"" + bad + "\"}")).as(bad).isInstanceOf(SandboxException.class);
        }
        for (String bad : List.of("0", "65536", "-1", "99999999999999999999", "\"0\"", "\"65536\"", "\"9-8\"", "\"1-65536\"", "\"http\"", "\"\"", "\"-1\"", "4.5", "1e99", "true", "null")) {
            assertThatThrownBy(() -> rule("{\"allow\":\"a.example\",\"ports\":[" + bad + "]}")).as(bad).isInstanceOf(SandboxException.class);
        }
    }

    @Test
    void noRuleAllowsMetadata() {
        for (String bad : List.of(
                "169.254.169.254", "169.254.169.254/32", "169.254.170.2", "169.254.169.0/24", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fe80::a9fe:a9fe",
                "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "metadata.google.internal", "METADATA.google.internal.", "*.metadata.google.internal", "metadata", "instance-data")) {
            refusedRule("{\"allow\":\"" + bad + "\"}", "metadata service");
            assertThat(rule("{\"deny\":\"" + bad + "\"}").action()).isEqualTo(EgressRule.Action.DENY);
        }
        refused(Forms.SECRET_BINDING, "{\"name\":\"K\",\"placeholder\":\"csn-0123456789abcdefghijkl\",\"hosts\":[\"metadata.google.internal\"],\"sealed\":\"AA==\"}",
                Failure.Code.BAD_REQUEST, "metadata service");
    }

    @Test
    void refusesContradictionsAndExcess() {
        refused(Forms.EGRESS_LAYER, "{\"rules\":[{\"allow\":\"a.example\",\"ports\":[1]},{\"deny\":\"A.example.\",\"ports\":[1],\"protocols\":[\"http\",\"tls\"]}]}",
                Failure.Code.BAD_REQUEST, "rules 1 and 2 contradict");
        refused(Forms.EGRESS_LAYER, "{\"rules\":[{\"allow\":\"a.example\",\"name\":\"x\"},{\"allow\":\"b.example\",\"name\":\"x\"}]}", Failure.Code.BAD_REQUEST, "two egress rules are named 'x'");
        refused(Forms.EGRESS_LAYER, "{\"mode\":\"none\",\"rules\":[\"a.example\"]}", Failure.Code.BAD_REQUEST, "mode none has 1 rules");
        refused(Forms.EGRESS_LAYER, "{\"mode\":\"all\"}", Failure.Code.BAD_REQUEST, "'mode' cannot be 'all'");
        refused(Forms.EGRESS_LAYER, "{\"rules\":[" + "\"a.example\",".repeat(256) + "\"a.example\"]}", Failure.Code.OUT_OF_RANGE, "257 rules");
        refused(Forms.EGRESS_LAYER, "{\"rules\":[7]}", Failure.Code.BAD_REQUEST, "'rules[0]' must be a text or an object, not a number");
        refused(Forms.EGRESS, "{\"layers\":[]}", Failure.Code.BAD_REQUEST, "0 layers");
        refused(Forms.EGRESS_BUDGET, "{\"connections\":0}", Failure.Code.OUT_OF_RANGE, "1 to 10000, got 0");
        refused(Forms.SECRET_BINDING, text(Forms.SECRET_BINDING, SECRET).replace("header", "cookie"), Failure.Code.BAD_REQUEST, "not a place of a secret: 'cookie'");
        refused(Forms.EGRESS, text(Forms.EGRESS_SHOWN, EGRESS), Failure.Code.BAD_REQUEST, "'secrets[0].sealed' is missing");
    }

    private static EgressRule rule(String json) {
        return Forms.EGRESS_RULE.read(json.getBytes(StandardCharsets.UTF_8));
    }

    private static EgressLayer layer(String json) {
        return Forms.EGRESS_LAYER.read(json.getBytes(StandardCharsets.UTF_8));
    }

    private static <T> void same(Form<T> form, T value) {
        assertThat(form.read(form.bytes(value))).isEqualTo(value);
    }

    private static <T> String text(Form<T> form, T value) {
        return new String(form.bytes(value), StandardCharsets.UTF_8);
    }

    private static void refusedRule(String document, String says) {
        refused(Forms.EGRESS_RULE, document, Failure.Code.BAD_REQUEST, says);
    }

    private static void refused(Form<?> form, String document, Failure.Code code, String says) {
        assertThatThrownBy(() -> form.read(document.getBytes(StandardCharsets.UTF_8)))
                .as(document.length() > 100 ? document.substring(0, 100) : document)
                .isInstanceOfSatisfying(SandboxException.class, e -> {
                    assertThat(e.code()).isEqualTo(code);
                    assertThat(e.failure().message()).contains(says);
                });
    }
}
