package dev.caisson.sandbox;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/// A rule as one text, such as `api.example.com:8443/tls`: what command lines and short lists hold.
final class EgressText {
    private static final Pattern PROTOCOL = Pattern.compile("(.*)/([A-Za-z]+)");
    private static final Pattern BRACKETED = Pattern.compile("\\[([^\\]]*:[^\\]]*)\\](?::(.*))?");
    private static final Pattern WITH_PORT = Pattern.compile("([^:\\[\\]]*):([^:]*)");

    private EgressText() {}

    static EgressRule parse(String text, EgressRule.Action action) {
        if (text.contains("://")) {
            throw Failure.Code.BAD_REQUEST.with("not a host but a URL: '" + Failure.shown(text) + "'", "write the host alone, as in api.example.com:8443; paths go into 'paths' of a rule");
        }
        var spoken = PROTOCOL.matcher(text);
        Optional<EgressProtocol> protocol = spoken.matches() ? Optional.of(EgressProtocol.parse(spoken.group(2))) : Optional.empty();
        String place = spoken.matches() ? spoken.group(1) : text;
        var bracketed = BRACKETED.matcher(place);
        var withPort = WITH_PORT.matcher(place);
        if (bracketed.matches()) {
            return rule(action, bracketed.group(1), Optional.ofNullable(bracketed.group(2)), protocol);
        }
        return withPort.matches() ? rule(action, withPort.group(1), Optional.of(withPort.group(2)), protocol) : rule(action, place, Optional.empty(), protocol);
    }

    private static EgressRule rule(EgressRule.Action action, String where, Optional<String> port, Optional<EgressProtocol> protocol) {
        var target = EgressTarget.parse(where);
        var rule = action == EgressRule.Action.ALLOW ? EgressRule.allow(target) : EgressRule.deny(target);
        if (port.isPresent()) {
            rule = rule.withPorts(List.of(PortRange.parse(port.get())));
        } else if (protocol.isPresent() && action == EgressRule.Action.ALLOW && target instanceof EgressTarget.Host) {
            rule = rule.withPorts(List.of(PortRange.of(usual(protocol.get(), target))));
        }
        return protocol.isPresent() ? rule.withProtocols(Set.of(protocol.get())) : rule;
    }

    private static int usual(EgressProtocol protocol, EgressTarget target) {
        return switch (protocol) {
            case TLS -> 443;
            case HTTP -> 80;
            case TCP -> throw Failure.Code.BAD_REQUEST.with("raw TCP to " + target + " names no port", "write it like " + target + ":22/tcp");
        };
    }
}
