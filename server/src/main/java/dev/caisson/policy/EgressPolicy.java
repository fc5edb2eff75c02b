package dev.caisson.policy;

import dev.caisson.sandbox.AddressKind;
import dev.caisson.sandbox.Cidr;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SecretBinding;
import dev.caisson.sandbox.TemplateName;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/// What the operator lets sandboxes reach at most, and how a request's wish is put under it.
///
/// Threads: immutable.
public final class EgressPolicy {
    public static final String TEMPLATE = "template";
    public static final String TENANT = "tenant";
    public static final String OPERATOR = "operator";
    /// Above this part of all addresses a list of networks is the internet by another name: one eighth of a /3.
    private static final double WIDE = 1.0 / 64;
    private static final Cidr GLOBAL_IPV6 = Cidr.parse("2000::/3");

    private final boolean open;
    private final EgressLayer ceiling;
    private final Map<String, EgressLayer> tenants;
    private final Map<TemplateName, EgressLayer> templates;
    private final Function<String, List<EgressRule>> presets;

    /// @param open requests may ask for the whole public internet
    /// @param ceiling over everybody
    /// @param tenants over those of a tenant, by its name
    /// @param templates over those of a template
    /// @param presets rules by the name of a preset; throws for one that is not there
    public EgressPolicy(boolean open, EgressLayer ceiling, Map<String, EgressLayer> tenants, Map<TemplateName, EgressLayer> templates, Function<String, List<EgressRule>> presets) {
        this.open = open;
        this.ceiling = named(OPERATOR, ceiling);
        this.tenants = Map.copyOf(tenants);
        this.templates = Map.copyOf(templates);
        this.presets = presets;
    }

    /// Of an operator who says nothing: whatever public hosts a request names.
    ///
    /// @param open and the whole public internet
    public static EgressPolicy standard(boolean open, Function<String, List<EgressRule>> presets) {
        return new EgressPolicy(open, new EgressLayer(OPERATOR, EgressLayer.Mode.OPEN, List.of()), Map.of(), Map.of(), presets);
    }

    private static EgressLayer named(String name, EgressLayer layer) {
        return new EgressLayer(name, layer.mode(), layer.rules());
    }

    /// True where requests may ask for the whole public internet.
    public boolean isOpen() {
        return open;
    }

    /// Errors: [Failure.Code#BAD_REQUEST] for one that is not there.
    public List<EgressRule> preset(String name) {
        return presets.apply(name);
    }

    /// The request's wish with all that stands over it. One of mode none stays so, whatever secrets there are.
    ///
    /// Errors: [Failure.Code#NOT_PERMITTED] for the whole internet without the operator's consent, and for a private network that somebody over it does not allow.
    public Egress compose(EgressLayer request, EgressBudget budget, List<SecretBinding> secrets, String tenant, TemplateName template) {
        var wish = named(EgressLayer.REQUEST, request);
        var layers = new ArrayList<EgressLayer>();
        Optional.ofNullable(templates.get(template)).ifPresent(layer -> layers.add(named(TEMPLATE, layer)));
        Optional.ofNullable(tenants.get(tenant)).ifPresent(layer -> layers.add(named(TENANT, layer)));
        layers.add(ceiling);
        if (!open) {
            refuseTheWholeInternet(wish);
        }
        layers.forEach(layer -> refusePrivate(wish, layer));
        layers.addFirst(wish);
        return new Egress(layers, budget, secrets);
    }

    private static void refuseTheWholeInternet(EgressLayer wish) {
        if (wish.mode() == EgressLayer.Mode.OPEN) {
            throw notOpen("egress mode open is not permitted here");
        }
        double four = 0;
        double six = 0;
        for (int i = 0; i < wish.rules().size(); i++) {
            if (wish.rules().get(i).action() == EgressRule.Action.ALLOW && wish.rules().get(i).target() instanceof EgressTarget.Network(var cidr) && !AddressKind.isSpecial(cidr)) {
                if (cidr.first().getAddress().length == 4) {
                    four += Math.scalb(1.0, -cidr.prefix());
                } else {
                    six += cidr.covers(GLOBAL_IPV6) ? 1 : Math.scalb(1.0, GLOBAL_IPV6.prefix() - cidr.prefix());
                }
                if (four > WIDE || six > WIDE) {
                    throw notOpen("egress rule " + wish.label(i) + " allows " + cidr + ": that is, with those before it, as wide as mode open, which is not permitted here");
                }
            }
        }
    }

    private static RuntimeException notOpen(String what) {
        return Failure.Code.NOT_PERMITTED.with(what, "name the hosts it needs, or have the operator consent with `caisson up --egress-open` or `ceiling: {open: true}` in egress.yaml");
    }

    private static void refusePrivate(EgressLayer wish, EgressLayer over) {
        for (int i = 0; i < wish.rules().size(); i++) {
            if (wish.rules().get(i).action() == EgressRule.Action.ALLOW && wish.rules().get(i).target() instanceof EgressTarget.Network(var cidr) && AddressKind.isSpecial(cidr)
                    && over.rules().stream().noneMatch(rule -> opens(rule, cidr))) {
                throw Failure.Code.NOT_PERMITTED.with(
                        "egress rule " + wish.label(i) + " allows " + cidr + ", which is not public (" + AddressKind.of(cidr.first()).label() + "), and layer " + over.name() + " has no rule that does",
                        "leave it away, or have the operator allow that network in egress.yaml");
            }
        }
    }

    private static boolean opens(EgressRule rule, Cidr network) {
        return rule.action() == EgressRule.Action.ALLOW && rule.target() instanceof EgressTarget.Network(var cidr) && AddressKind.isSpecial(cidr) && cidr.covers(network);
    }
}
