package dev.caisson.sandbox;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// What a sandbox may reach outside its wall. Something is allowed only when every layer allows it, so the narrower wins.
///
/// @param layers whose wishes count: the request's first, then the template's, the tenant's and the operator's; 1 to [#MAX_LAYERS], each name once
/// @param secrets that the gateway puts into requests in its stead; at most [#MAX_SECRETS], each name and placeholder once
public record Egress(List<EgressLayer> layers, EgressBudget budget, List<SecretBinding> secrets) {
    public static final int MAX_LAYERS = 4;
    public static final int MAX_SECRETS = 32;
    /// Nothing leaves.
    public static final Egress NONE = new Egress(List.of(EgressLayer.NONE), EgressBudget.DEFAULT, List.of());

    public Egress {
        layers = List.copyOf(layers);
        secrets = List.copyOf(secrets);
        if (layers.isEmpty() || layers.size() > MAX_LAYERS) {
            throw Failure.Code.BAD_REQUEST.with("egress has " + layers.size() + " layers", "give 1 to " + MAX_LAYERS);
        }
        if (secrets.size() > MAX_SECRETS) {
            throw Failure.Code.OUT_OF_RANGE.with("a sandbox has at most " + MAX_SECRETS + " secrets, got " + secrets.size(), "leave some away");
        }
        once(layers.stream().map(EgressLayer::name).toList(), "layer");
        once(secrets.stream().map(SecretBinding::name).toList(), "secret");
        once(secrets.stream().map(SecretBinding::placeholder).toList(), "placeholder");
    }

    private static void once(List<String> names, String what) {
        Set<String> seen = new HashSet<>();
        for (String name : names) {
            if (!seen.add(name)) {
                throw Failure.Code.BAD_REQUEST.with("the " + what + " '" + Failure.shown(name) + "' is there twice", "name each once");
            }
        }
    }

    /// True when nothing can leave, whatever the rules say.
    public boolean isNone() {
        return layers.stream().anyMatch(layer -> layer.mode() == EgressLayer.Mode.NONE);
    }

    /// True when some address may be reached that was not looked up by a name.
    public boolean reachesAddresses() {
        return !isNone() && layers.stream().allMatch(EgressLayer::reachesAddresses);
    }
}
