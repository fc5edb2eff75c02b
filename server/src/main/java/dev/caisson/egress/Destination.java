package dev.caisson.egress;

import java.util.Locale;

/// Where a relayed connection goes: the one host that its requests may name.
///
/// @param host in its one spelling; or an address, without brackets
/// @param tls the relay sees what is inside of TLS
record Destination(String host, int port, boolean tls) {
    /// How the host is written in requests.
    String authority() {
        String written = host.indexOf(':') >= 0 ? "[" + host + "]" : host;
        return port == (tls ? 443 : 80) ? written : written + ":" + port;
    }

    /// Whether what a request calls its authority is this place.
    boolean isNamedBy(String authority) {
        String name = authority;
        int colon = authority.lastIndexOf(':');
        if (colon >= 0 && authority.indexOf(']') < colon) {
            if (!authority.substring(colon + 1).equals(Integer.toString(port))) {
                return false;
            }
            name = authority.substring(0, colon);
        }
        if (host.indexOf(':') >= 0) {
            return name.equalsIgnoreCase("[" + host + "]");
        }
        name = name.toLowerCase(Locale.ROOT);
        return name.equals(host) || name.equals(host + ".");
    }
}
