package dev.caisson.api.e2b;

import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Cidr;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.Failure;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// What a client says of the way out of a sandbox: what it allows wins over what it denies.
///
/// @param all the whole internet is among what is allowed
/// @param nothing the whole internet is among what is denied, or internet access was declined
/// @param internet what was said of internet access in so many words
record NetworkWish(List<EgressTarget> allowed, List<EgressTarget> denied, boolean all, boolean nothing, Optional<Boolean> internet) {
    private static final String ALL_TRAFFIC = "0.0.0.0/0";
    private static final List<String> ALL = List.of(ALL_TRAFFIC, "::/0");
    private static final List<String> UNSUPPORTED = List.of("egressProxy", "rules", "dnsServers", "maskRequestHost", "httpsPorts");

    /// Of a create: internet access is spoken of beside the network.
    static NetworkWish ofCreate(JsonObject in) {
        return of(in.child("network").orElseGet(JsonObject::empty), internet(in));
    }

    /// Of an update: everything in one object, and what is not there is as if it had never been said.
    static NetworkWish ofUpdate(JsonObject network) {
        return of(network, Optional.empty());
    }

    private static NetworkWish of(JsonObject network, Optional<Boolean> beside) {
        for (String wish : UNSUPPORTED) {
            if (network.has(wish) && !network.isEmptyList(wish) && !network.isEmptyObject(wish)) {
                throw new Refusal(400, "network." + wish + " is not supported by this server" + switch (wish) {
                    case "rules" -> ": headers are not written into requests; a secret that a sandbox must not see can be bound to a host with the server's own API, POST /v1/sandboxes";
                    case "egressProxy" -> ": its own gateway is the only way out";
                    case "dnsServers" -> ": its operator chooses them";
                    default -> "";
                });
            }
        }
        var internet = beside.or(() -> internet(network));
        var allowOut = network.texts("allowOut").orElse(List.of());
        var denyOut = network.texts("denyOut").orElse(List.of());
        boolean all = allowOut.stream().anyMatch(ALL::contains);
        boolean nothing = denyOut.stream().anyMatch(ALL::contains) || internet.equals(Optional.of(false));
        for (String each : denyOut) {
            if (!Cidr.looksLikeOne(each)) {
                throw new Refusal(400, "invalid denied CIDR " + Failure.shown(each) + ": only addresses and networks can be denied, names are denied by allowing others");
            }
        }
        var allowed = targets(allowOut);
        if (!nothing && !all && allowed.stream().anyMatch(EgressTarget.Host.class::isInstance)) {
            throw new Refusal(400, "When specifying allowed domains in allow out, you must include 'ALL_TRAFFIC' in deny out to block all other traffic.");
        }
        return new NetworkWish(allowed, targets(denyOut), all, nothing, internet);
    }

    private static Optional<Boolean> internet(JsonObject in) {
        return in.has("allow_internet_access") ? Optional.of(in.truth("allow_internet_access")) : Optional.empty();
    }

    private static List<EgressTarget> targets(List<String> texts) {
        return texts.stream().filter(text -> !ALL.contains(text)).map(EgressTarget::parse).distinct().toList();
    }

    /// The wish as the request's layer.
    ///
    /// @param consented the operator lets sandboxes out to the whole internet, which is what clients mean who say nothing
    EgressLayer layer(boolean consented, E2bSettings.Internet otherwise) {
        if (consented && (all || !nothing)) {
            return new EgressLayer(EgressLayer.REQUEST, EgressLayer.Mode.OPEN, all ? List.of() : rules());
        }
        boolean asked = all || !nothing && internet.equals(Optional.of(true));
        if (asked && otherwise == E2bSettings.Internet.REFUSE) {
            throw new Refusal(400, (all ? "network.allowOut " + ALL_TRAFFIC : "allow_internet_access") + ": sandboxes of this server have no access to the whole internet; name the hosts in network.allowOut, with "
                    + ALL_TRAFFIC + " in network.denyOut, or have the operator start the server with `caisson up --egress-open`, or with `--e2b-internet ignore`, which makes such sandboxes without internet");
        }
        return allowed.isEmpty() ? EgressLayer.NONE : new EgressLayer(EgressLayer.REQUEST, EgressLayer.Mode.LIST, rules());
    }

    private List<EgressRule> rules() {
        return Stream.concat(allowed.stream().map(EgressRule::allow), denied.stream().map(EgressRule::deny)).toList();
    }

    /// What a layer lets out, in a client's words.
    static List<String> allowOut(EgressLayer layer) {
        return targets(layer, EgressRule.Action.ALLOW);
    }

    static List<String> denyOut(EgressLayer layer) {
        var denied = new ArrayList<>(targets(layer, EgressRule.Action.DENY));
        if (layer.mode() != EgressLayer.Mode.OPEN) {
            denied.add(ALL_TRAFFIC);
        }
        return denied;
    }

    private static List<String> targets(EgressLayer layer, EgressRule.Action action) {
        return layer.rules().stream().filter(rule -> rule.action() == action).map(rule -> rule.target().toString()).distinct().toList();
    }
}
