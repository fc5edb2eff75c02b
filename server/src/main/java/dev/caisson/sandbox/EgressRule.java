package dev.caisson.sandbox;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/// Allows or denies one target.
///
/// @param name for people; empty means its place in the list; `A-Z a-z 0-9 . _ : -`, at most 64 characters
/// @param ports empty means every port
/// @param protocols how it may be spoken to; [EgressProtocol#TCP] means without looking at what is said
/// @param http of HTTP, the requests that the rule fits; empty means all. Where it is not, TLS is opened at the gateway
/// @param inspect TLS is ended at the gateway with the sandbox's own authority, so that requests can be seen
public record EgressRule(
        String name, Action action, EgressTarget target, List<PortRange> ports, Set<EgressProtocol> protocols, List<HttpMatch> http, boolean inspect) {
    /// What a rule does with what fits it.
    public enum Action {
        ALLOW,
        DENY
    }

    /// Where TLS and HTTP are spoken unless somebody says otherwise.
    public static final List<PortRange> WEB = List.of(PortRange.of(443), PortRange.of(80));
    public static final Set<EgressProtocol> SEEN = Set.copyOf(EnumSet.of(EgressProtocol.TLS, EgressProtocol.HTTP));
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._:-]{0,64}");
    private static final int MAX_PORTS = 64;
    private static final int MAX_HTTP = 64;

    public EgressRule {
        ports = List.copyOf(ports);
        protocols = Set.copyOf(protocols);
        http = List.copyOf(http);
        if (!NAME.matcher(name).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a rule's name: '" + Failure.shown(name) + "'", "use at most 64 of A-Z a-z 0-9 . _ : -");
        }
        if (ports.size() > MAX_PORTS || http.size() > MAX_HTTP) {
            throw Failure.Code.OUT_OF_RANGE.with("a rule has too many ports or requests", "at most " + MAX_PORTS + " ranges of ports and " + MAX_HTTP + " kinds of requests");
        }
        if (protocols.isEmpty()) {
            throw Failure.Code.BAD_REQUEST.with("the rule for " + target + " names no protocol", "name tls, http or tcp");
        }
        if (protocols.contains(EgressProtocol.TCP) && (inspect || !http.isEmpty())) {
            throw Failure.Code.BAD_REQUEST.with("the rule for " + target + " lets raw TCP through and looks into requests", "choose one: what is not looked at cannot be judged");
        }
        inspect = inspect || !http.isEmpty();
        if (action == Action.DENY && inspect && http.isEmpty()) {
            throw Failure.Code.BAD_REQUEST.with("the rule that denies " + target + " wants to look into what it denies", "leave inspect away, or name methods and paths");
        }
        if (inspect && target instanceof EgressTarget.Network) {
            throw Failure.Code.BAD_REQUEST.with("the rule for " + target + " looks into requests to addresses without a name", "name the host");
        }
        if (action == Action.ALLOW && isMetadata(target)) {
            throw Failure.Code.BAD_REQUEST.with("the rule for " + target + " allows a cloud's metadata service, which hands out the machine's own identity", "leave it away: no rule opens it");
        }
    }

    private static boolean isMetadata(EgressTarget target) {
        return switch (target) {
            case EgressTarget.Host(var pattern) -> Metadata.isName(pattern.suffix());
            case EgressTarget.Network(var cidr) -> Metadata.covers(cidr);
        };
    }

    /// What may be reached, as one text: `HOST`, `HOST:PORT`, `HOST:8000-8100`, each with `/tls`, `/http` or `/tcp` behind it if it is only that; an address or
    /// a network instead of the host, an IPv6 address before a port in brackets. Without a port a host is [#WEB], a network every port.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST], [Failure.Code#OUT_OF_RANGE].
    public static EgressRule allow(String text) {
        return EgressText.parse(text, Action.ALLOW);
    }

    /// The same for what is denied; without a port every one, without a protocol any.
    public static EgressRule deny(String text) {
        return EgressText.parse(text, Action.DENY);
    }

    /// TLS and HTTP, at their ports, to that host.
    public static EgressRule allow(EgressTarget target) {
        boolean host = target instanceof EgressTarget.Host;
        return new EgressRule("", Action.ALLOW, target, host ? WEB : List.of(), host ? SEEN : Set.of(EgressProtocol.TCP), List.of(), false);
    }

    public static EgressRule deny(EgressTarget target) {
        return new EgressRule("", Action.DENY, target, List.of(), EnumSet.allOf(EgressProtocol.class), List.of(), false);
    }

    public EgressRule withName(String other) {
        return new EgressRule(other, action, target, ports, protocols, http, inspect);
    }

    public EgressRule withPorts(List<PortRange> others) {
        return new EgressRule(name, action, target, others, protocols, http, inspect);
    }

    public EgressRule withProtocols(Set<EgressProtocol> others) {
        return new EgressRule(name, action, target, ports, others, http, inspect);
    }

    public boolean fitsPort(int port) {
        return ports.isEmpty() || ports.stream().anyMatch(range -> range.contains(port));
    }
}
