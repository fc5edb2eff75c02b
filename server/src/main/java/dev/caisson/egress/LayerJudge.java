package dev.caisson.egress;

import dev.caisson.sandbox.AddressKind;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.SecretBinding;
import java.net.InetAddress;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/// One layer's answers: the first rule that fits decides, else the mode.
///
/// A name is judged by rules for hosts, an address by rules for networks. Raw TCP can carry whatever else is denied at a port, so it is denied with it; and where it is
/// allowed, so is everything. A rule with requests of HTTP in it decides nothing about a connection but that it is looked into.
///
/// @param secrets whose hosts this layer allows as if they were named behind its last rule; a layer's that is not the request's are none
record LayerJudge(EgressLayer layer, List<SecretBinding> secrets) {
    static final int MOST_PORTS = 65_536;
    private static final int SECRETS_AT = 443;

    /// @param inspect somebody wants to see the requests; only when it is allowed
    record Answer(Decision decision, boolean inspect) {
        boolean allowed() {
            return decision.allowed();
        }
    }

    private static Answer allow(String rule, boolean inspect) {
        return new Answer(Decision.allow(rule), inspect);
    }

    private static Answer deny(String rule, String reason) {
        return new Answer(Decision.deny(rule, reason), false);
    }

    /// Whether something may be said to a host, by its name alone.
    Answer name(String host, int port, EgressProtocol protocol) {
        Optional<String> partly = Optional.empty();
        boolean inspect = false;
        boolean named = false;
        for (int i = 0; i < layer.rules().size(); i++) {
            EgressRule rule = layer.rules().get(i);
            if (!fits(rule, host, port, protocol)) {
                continue;
            }
            named = true;
            boolean denies = rule.action() == EgressRule.Action.DENY;
            if (rule.http().isEmpty() || denies && protocol == EgressProtocol.TCP) {
                if (partly.isPresent()) {
                    return allow(partly.get(), true);
                }
                return denies ? denied(i) : allow(layer.label(i), inspect || rule.inspect());
            }
            inspect = true;
            if (!denies && partly.isEmpty()) {
                partly = Optional.of(layer.label(i));
            }
        }
        return partly.isPresent() ? allow(partly.get(), true) : unfitted(host, port, protocol, named, inspect);
    }

    /// Whether one request may be made of a host over a connection of which [#name] said yes.
    Decision request(String host, int port, EgressProtocol protocol, String method, String path) {
        boolean named = false;
        for (int i = 0; i < layer.rules().size(); i++) {
            EgressRule rule = layer.rules().get(i);
            if (!fits(rule, host, port, protocol)) {
                continue;
            }
            named = true;
            if (rule.http().isEmpty() || rule.http().stream().anyMatch(match -> match.fits(method, path))) {
                return rule.action() == EgressRule.Action.DENY ? denied(i).decision() : Decision.allow(layer.label(i));
            }
        }
        var answer = unfitted(host, port, protocol, named, true).decision();
        return answer.allowed() || !named ? answer : Decision.deny(answer.rule(), "no rule of layer " + layer.name() + " allows this request to " + host);
    }

    private Answer unfitted(String host, int port, EgressProtocol protocol, boolean named, boolean inspect) {
        // A rule that names the host says how far its secret goes: the binding does not widen it.
        if (!named && layer.mode() != EgressLayer.Mode.NONE && protocol == EgressProtocol.TLS && port == SECRETS_AT) {
            for (SecretBinding secret : secrets) {
                if (secret.hosts().stream().anyMatch(pattern -> pattern.fits(host))) {
                    return allow("secret:" + secret.name(), true);
                }
            }
        }
        return switch (layer.mode()) {
            case NONE -> deny(byDefault(), "nothing may leave by layer " + layer.name());
            case LIST -> deny(byDefault(), "no rule of layer " + layer.name() + " allows " + host + " at port " + port);
            case OPEN -> allow(byDefault(), inspect);
        };
    }

    /// Ports at which [#name] says yes to a host.
    BitSet ports(String host, EgressProtocol protocol) {
        var allowed = new BitSet(MOST_PORTS);
        var open = new BitSet(MOST_PORTS);
        open.set(1, MOST_PORTS);
        boolean namedAtSecrets = false;
        for (EgressRule rule : layer.rules()) {
            if (!isAbout(rule, host) || !concerns(rule, protocol)) {
                continue;
            }
            namedAtSecrets |= rule.fitsPort(SECRETS_AT);
            BitSet fitting = fitting(rule);
            boolean denies = rule.action() == EgressRule.Action.DENY;
            fitting.and(open);
            if (!denies) {
                allowed.or(fitting);
            }
            if (rule.http().isEmpty() || denies && protocol == EgressProtocol.TCP) {
                open.andNot(fitting);
            }
        }
        if (layer.mode() == EgressLayer.Mode.OPEN) {
            allowed.or(open);
        } else if (unfitted(host, SECRETS_AT, protocol, namedAtSecrets, false).allowed()) {
            allowed.set(SECRETS_AT);
        }
        return allowed;
    }

    /// Why nothing may be said to a host.
    Decision nothingFor(String host) {
        for (int i = 0; i < layer.rules().size(); i++) {
            EgressRule rule = layer.rules().get(i);
            if (isAbout(rule, host) && rule.action() == EgressRule.Action.DENY && rule.http().isEmpty()) {
                return denied(i).decision();
            }
        }
        return Decision.deny(byDefault(), layer.mode() == EgressLayer.Mode.NONE ? "nothing may leave by layer " + layer.name() : "no rule of layer " + layer.name() + " allows " + host);
    }

    /// By what something may be said to a host.
    String somethingFor(String host) {
        for (int i = 0; i < layer.rules().size(); i++) {
            if (isAbout(layer.rules().get(i), host) && layer.rules().get(i).action() == EgressRule.Action.ALLOW) {
                return layer.label(i);
            }
        }
        return unfitted(host, SECRETS_AT, EgressProtocol.TLS, false, true).decision().rule();
    }

    private static BitSet fitting(EgressRule rule) {
        var ports = new BitSet(MOST_PORTS);
        if (rule.ports().isEmpty()) {
            ports.set(1, MOST_PORTS);
        }
        rule.ports().forEach(range -> ports.set(range.first(), range.last() + 1));
        return ports;
    }

    /// Whether an address may be dialed.
    ///
    /// @param named it was looked up by a name that is judged beside this: then only what is denied, and what is not public, is refused here
    Answer address(InetAddress address, AddressKind kind, int port, EgressProtocol protocol, boolean named) {
        InetAddress plain = AddressKind.plain(address);
        for (int i = 0; i < layer.rules().size(); i++) {
            EgressRule rule = layer.rules().get(i);
            if (!isAbout(rule, address, plain) || !rule.fitsPort(port) || !concerns(rule, protocol)) {
                continue;
            }
            if (rule.action() == EgressRule.Action.DENY) {
                return denied(i);
            }
            if (kind == AddressKind.PUBLIC || rule.target() instanceof EgressTarget.Network(var cidr) && AddressKind.isSpecial(cidr)) {
                return allow(layer.label(i), false);
            }
        }
        String shown = address.getHostAddress();
        if (layer.mode() == EgressLayer.Mode.NONE) {
            return deny(byDefault(), "nothing may leave by layer " + layer.name());
        }
        if (kind != AddressKind.PUBLIC) {
            return deny(byDefault(), shown + " is " + kind.label() + ", and no rule of layer " + layer.name() + " allows its network");
        }
        return named || layer.mode() == EgressLayer.Mode.OPEN ? allow(byDefault(), false)
                : deny(byDefault(), "no rule of layer " + layer.name() + " allows " + shown + " at port " + port);
    }

    /// Whether a name that somebody claims in what he says is denied; a claim allows nothing.
    Decision seen(String name, InetAddress address, int port, EgressProtocol protocol) {
        InetAddress plain = AddressKind.plain(address);
        for (int i = 0; i < layer.rules().size(); i++) {
            EgressRule rule = layer.rules().get(i);
            // What may not be said unseen may not be said here either.
            boolean concerns = concerns(rule, protocol) || rule.protocols().contains(EgressProtocol.TCP);
            if (!isAbout(rule, name) && !isAbout(rule, address, plain) || !rule.fitsPort(port) || !concerns) {
                continue;
            }
            if (rule.action() == EgressRule.Action.DENY) {
                return denied(i).decision();
            }
            if (rule.http().isEmpty()) {
                return Decision.allow(layer.label(i));
            }
        }
        return Decision.allow(byDefault());
    }

    boolean deniesNames() {
        return layer.rules().stream().anyMatch(rule -> rule.action() == EgressRule.Action.DENY && rule.target() instanceof EgressTarget.Host);
    }

    private Answer denied(int index) {
        return deny(layer.label(index), "denied: " + layer.rules().get(index).target());
    }

    private String byDefault() {
        return layer.name() + ":default";
    }

    private static boolean fits(EgressRule rule, String host, int port, EgressProtocol protocol) {
        return isAbout(rule, host) && rule.fitsPort(port) && concerns(rule, protocol);
    }

    private static boolean isAbout(EgressRule rule, String host) {
        return rule.target() instanceof EgressTarget.Host(var pattern) && pattern.fits(host);
    }

    private static boolean isAbout(EgressRule rule, InetAddress address, InetAddress plain) {
        return rule.target() instanceof EgressTarget.Network(var cidr) && (cidr.contains(plain) || cidr.contains(address));
    }

    private static boolean concerns(EgressRule rule, EgressProtocol protocol) {
        return switch (rule.action()) {
            case DENY -> protocol == EgressProtocol.TCP || rule.protocols().contains(protocol);
            case ALLOW -> rule.protocols().contains(protocol) || rule.protocols().contains(EgressProtocol.TCP);
        };
    }
}
