package dev.caisson.sandbox;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/// A secret that a sandbox may use and never sees: it holds a placeholder, and the gateway puts the value into requests to the bound hosts.
///
/// @param name of the sandbox's variable that holds the placeholder
/// @param placeholder what the sandbox sees: a text that nobody can guess and that occurs nowhere else
/// @param hosts to which alone the value goes, over TLS; 1 to 16
/// @param places where in a request a placeholder is replaced
/// @param sealed the value, readable by the gateway alone; base64
public record SecretBinding(String name, String placeholder, List<HostPattern> hosts, Set<Place> places, String sealed) {
    /// Parts of a request.
    public enum Place {
        HEADER,
        QUERY,
        BODY
    }

    public static final int MAX_VALUE_BYTES = 16 * 1024;
    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,127}");
    private static final Pattern PLACEHOLDER = Pattern.compile("csn-[A-Za-z0-9_-]{22,64}");
    private static final Pattern SEALED = Pattern.compile("[A-Za-z0-9+/=]{1,32768}");

    public SecretBinding {
        hosts = List.copyOf(hosts);
        places = places.isEmpty() ? Set.of(Place.HEADER) : Set.copyOf(EnumSet.copyOf(places));
        if (!NAME.matcher(name).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a secret's name: '" + Failure.shown(name) + "'", "it becomes a variable: use letters, digits and _");
        }
        if (hosts.isEmpty() || hosts.size() > 16) {
            throw Failure.Code.BAD_REQUEST.with("the secret " + name + " is bound to " + hosts.size() + " hosts", "bind it to 1 to 16 hosts");
        }
        if (hosts.stream().anyMatch(host -> Metadata.isName(host.suffix()))) {
            throw Failure.Code.BAD_REQUEST.with("the secret " + name + " is bound to a cloud's metadata service", "leave it away: nothing reaches it");
        }
        if (!PLACEHOLDER.matcher(placeholder).matches() || !SEALED.matcher(sealed).matches()) {
            throw Failure.Code.BAD_REQUEST.with("the secret " + name + " is not in its sealed form", "give its value to the API, which seals it");
        }
    }

    /// Never the value, not even sealed.
    @Override
    public String toString() {
        return "SecretBinding[" + name + " " + hosts + "]";
    }
}
