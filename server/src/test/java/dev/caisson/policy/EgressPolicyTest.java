package dev.caisson.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SecretBinding;
import dev.caisson.sandbox.TemplateName;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class EgressPolicyTest {
    private static final TemplateName TEMPLATE = new TemplateName("py");

    @Test
    void theRequestComesFirstAndTheOperatorLast() {
        var policy = new EgressPolicy(
                false, layer("x", EgressLayer.Mode.OPEN, EgressRule.deny("bad.example")), Map.of("acme", layer("x", EgressLayer.Mode.LIST, EgressRule.allow("a.example"))),
                Map.of(TEMPLATE, layer("x", EgressLayer.Mode.OPEN)), EgressPolicyTest::noPreset);
        var wish = layer("whatever", EgressLayer.Mode.LIST, EgressRule.allow("a.example"));
        var budget = new EgressBudget(1, EgressBudget.DEFAULT.bytes(), 2);
        Egress made = policy.compose(wish, budget, List.of(), "acme", TEMPLATE);
        assertThat(made.layers()).extracting(EgressLayer::name).containsExactly("request", "template", "tenant", "operator");
        assertThat(made.layers().getFirst().rules()).isEqualTo(wish.rules());
        assertThat(made.layers().getLast().rules()).containsExactly(EgressRule.deny("bad.example"));
        assertThat(made.budget()).isEqualTo(budget);
        assertThat(policy.compose(wish, budget, List.of(), "other", TemplateName.BASE).layers()).extracting(EgressLayer::name).containsExactly("request", "operator");
        assertThat(policy.compose(EgressLayer.NONE, budget, List.of(), "acme", TEMPLATE).isNone()).isTrue();
    }

    @Test
    void theWholeInternetNeedsConsent() {
        var open = layer("request", EgressLayer.Mode.OPEN);
        refused(EgressPolicy.standard(false, EgressPolicyTest::noPreset), open, "egress mode open is not permitted here");
        assertThat(compose(EgressPolicy.standard(true, EgressPolicyTest::noPreset), open).layers()).hasSize(2);
    }

    @Test
    void networksAsWideAsTheInternetNeedConsentToo() {
        var closed = EgressPolicy.standard(false, EgressPolicyTest::noPreset);
        for (String wide : List.of("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/2", "::/0", "2000::/3", "2000::/8")) {
            refused(closed, list(EgressRule.allow("a.example"), EgressRule.allow(wide)), "request:2 allows " + EgressRule.allow(wide).target());
            assertThat(compose(EgressPolicy.standard(true, EgressPolicyTest::noPreset), list(EgressRule.allow(wide))).layers()).hasSize(2);
            compose(closed, list(EgressRule.deny(wide), EgressRule.allow("a.example")));
        }
        refused(closed, list(IntStream.range(60, 70).mapToObj(i -> EgressRule.allow(i + ".0.0.0/8")).toArray(EgressRule[]::new)), "as wide as mode open");
        compose(closed, list(EgressRule.allow("192.0.2.0/24"), EgressRule.allow("2001:db8::/32"), EgressRule.allow("60.0.0.0/8")));
    }

    @Test
    void aPrivateNetworkIsForTheOperatorToOpen() {
        refused(EgressPolicy.standard(true, EgressPolicyTest::noPreset), list(EgressRule.allow("a.example"), EgressRule.allow("10.1.0.0/16").withName("lan")),
                "egress rule request:lan allows 10.1.0.0/16, which is not public (private), and layer operator has no rule that does");
        var policy = new EgressPolicy(false, layer("operator", EgressLayer.Mode.OPEN, EgressRule.allow("10.0.0.0/8"), EgressRule.allow("0.0.0.0/0")),
                Map.of("acme", layer("tenant", EgressLayer.Mode.OPEN)), Map.of(), EgressPolicyTest::noPreset);
        compose(policy, list(EgressRule.allow("10.1.0.0/16")));
        refused(policy, list(EgressRule.allow("192.168.0.0/16")), "192.168.0.0/16");
        refused(policy, list(EgressRule.allow("127.0.0.1")), "the machine itself");
        refused(policy, list(EgressRule.allow("fe80::/10")), "link-local");
        compose(policy, list(EgressRule.deny("192.168.0.0/16"), EgressRule.allow("a.example")));
        assertThatThrownBy(() -> policy.compose(list(EgressRule.allow("10.1.0.0/16")), EgressBudget.DEFAULT, List.of(), "acme", TEMPLATE)).hasMessageContaining("layer tenant has no rule that does");
    }

    @Test
    void secretsOpenNothingWhereNothingIsToLeave() {
        var secret = new SecretBinding("K", "csn-0123456789abcdefghijkl", List.of(HostPattern.parse("api.example.com")), Set.of(), "AA==");
        var policy = EgressPolicy.standard(false, EgressPolicyTest::noPreset);
        var closed = policy.compose(EgressLayer.NONE, EgressBudget.DEFAULT, List.of(secret), "default", TEMPLATE);
        assertThat(closed.isNone()).isTrue();
        assertThat(closed.secrets()).containsExactly(secret);
        assertThat(policy.compose(list(), EgressBudget.DEFAULT, List.of(secret), "default", TEMPLATE).isNone()).isFalse();
    }

    private static List<EgressRule> noPreset(String name) {
        throw new AssertionError(name);
    }

    private static Egress compose(EgressPolicy policy, EgressLayer request) {
        return policy.compose(request, EgressBudget.DEFAULT, List.of(), "default", TEMPLATE);
    }

    private static EgressLayer list(EgressRule... rules) {
        return layer("request", EgressLayer.Mode.LIST, rules);
    }

    private static EgressLayer layer(String name, EgressLayer.Mode mode, EgressRule... rules) {
        return new EgressLayer(name, mode, List.of(rules));
    }

    private static void refused(EgressPolicy policy, EgressLayer request, String says) {
        assertThatThrownBy(() -> compose(policy, request)).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.NOT_PERMITTED);
            assertThat(e.failure().message()).contains(says);
            assertThat(e.failure().remedy()).contains("egress.yaml");
        });
    }
}
