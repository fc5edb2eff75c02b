package dev.caisson.wayout;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.HttpMatch;
import dev.caisson.sandbox.PortRange;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/// Short words for what the tests of this package allow and deny.
public final class Rules {
    private Rules() {}

    /// Only what these rules allow.
    static Egress list(EgressRule... rules) {
        return of(EgressLayer.Mode.LIST, rules);
    }

    /// TLS and HTTP at their ports, to these hosts only.
    public static Egress hosts(String... hosts) {
        return list(Arrays.stream(hosts).map(Rules::allow).toArray(EgressRule[]::new));
    }

    static Egress open(EgressRule... rules) {
        return of(EgressLayer.Mode.OPEN, rules);
    }

    private static Egress of(EgressLayer.Mode mode, EgressRule... rules) {
        return new Egress(List.of(new EgressLayer(EgressLayer.REQUEST, mode, List.of(rules))), EgressBudget.DEFAULT, List.of());
    }

    static Egress within(Egress egress, EgressBudget budget) {
        return new Egress(egress.layers(), budget, egress.secrets());
    }

    static EgressRule allow(String target) {
        return EgressRule.allow(EgressTarget.parse(target));
    }

    static EgressRule deny(String target) {
        return EgressRule.deny(EgressTarget.parse(target));
    }

    /// Bytes unseen.
    static EgressRule raw(String target, int... ports) {
        return allow(target).withProtocols(Set.of(EgressProtocol.TCP)).withPorts(Arrays.stream(ports).mapToObj(PortRange::of).toList());
    }

    /// Requests of HTTP alone, in TLS that is opened or without.
    static EgressRule requests(String host, Set<String> methods, String... paths) {
        return new EgressRule("", EgressRule.Action.ALLOW, EgressTarget.parse(host), EgressRule.WEB, EgressRule.SEEN, List.of(new HttpMatch(methods, List.of(paths))), true);
    }

    /// TLS opened at the gateway.
    static EgressRule opened(String host) {
        return new EgressRule("", EgressRule.Action.ALLOW, EgressTarget.parse(host), EgressRule.WEB, EgressRule.SEEN, List.of(), true);
    }
}
