package dev.caisson.egress;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/// The fields of a head, in their order.
record HeadFields(List<Field> all) {
    /// @param name as sent
    /// @param value without white space around it; each character one byte
    record Field(String name, String value) {
        boolean is(String other) {
            return name.equalsIgnoreCase(other);
        }
    }

    /// Of one connection only (RFC 9110, 7.6.1), or ours to write again.
    private static final Set<String> OF_CONNECTION = Set.of(
            "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
            "http2-settings", "content-length");
    /// Written anew in requests, or dealt with here.
    private static final Set<String> OURS = Set.of("host", "expect");
    /// Would lead around the gateway: to other names, ports and protocols.
    private static final Set<String> NOT_INWARD = Set.of("alt-svc");

    HeadFields {
        all = List.copyOf(all);
    }

    List<String> values(String name) {
        return all.stream().filter(field -> field.is(name)).map(Field::value).toList();
    }

    Optional<String> first(String name) {
        return all.stream().filter(field -> field.is(name)).map(Field::value).findFirst();
    }

    boolean has(String name) {
        return all.stream().anyMatch(field -> field.is(name));
    }

    /// The members of a list, such as Connection, in lower case.
    Set<String> tokens(String name) {
        var found = new HashSet<String>();
        for (String value : values(name)) {
            for (String each : value.split(",", -1)) {
                found.add(each.strip().toLowerCase(Locale.ROOT));
            }
        }
        return found;
    }

    /// Those of a request that go on to its server.
    List<Field> outward() {
        return without(OURS);
    }

    /// Those of an answer that go on to its client.
    List<Field> inward() {
        return without(NOT_INWARD);
    }

    private List<Field> without(Set<String> more) {
        Set<String> named = tokens("connection");
        var kept = new ArrayList<Field>();
        for (Field field : all) {
            String name = field.name().toLowerCase(Locale.ROOT);
            if (!OF_CONNECTION.contains(name) && !more.contains(name) && !named.contains(name)) {
                kept.add(field);
            }
        }
        return kept;
    }

    /// True for a name that servers which follow CGI read as one that frames or routes messages.
    static boolean isMasked(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return lower.indexOf('_') >= 0 && (OF_CONNECTION.contains(lower.replace('_', '-')));
    }
}
