package dev.caisson.edge;

import dev.caisson.api.PortForwarder;
import dev.caisson.api.PreviewDomain;
import dev.caisson.sandbox.SandboxId;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/// What the authority of a request names.
sealed interface PreviewHost {
    /// A port of a sandbox.
    ///
    /// @param authority as the client wrote it, in lower case
    record Port(SandboxId sandbox, int port, String authority) implements PreviewHost {
        /// Without the port.
        String name() {
            return PreviewHost.name(authority);
        }
    }

    /// The domain itself, or one of the few names below it that belong to other doors.
    record Other() implements PreviewHost {}

    /// Not below the domain at all.
    record Elsewhere() implements PreviewHost {}

    /// Below the domain, and not a name that is given to anything.
    record Malformed(String why) implements PreviewHost {}

    /// Names below the domain that clients of the doors use: `api.` for calls, `sandbox.` for requests that say their sandbox in headers.
    List<String> DOORS = List.of("api", "sandbox");

    Pattern LABEL = Pattern.compile("([1-9][0-9]{0,4})-(sb[a-z2-7]{18})");
    Pattern AUTHORITY = Pattern.compile("([a-z0-9.-]+)(:[1-9][0-9]{0,4})?");

    /// Reads one authority (`host` or `host:port`). There is one spelling of each port, and case is the only thing that is forgiven.
    static PreviewHost parse(String written, PreviewDomain domain) {
        String authority = written.toLowerCase(Locale.ROOT);
        if (!isBelow(authority, domain)) {
            return new Elsewhere();
        }
        var shape = AUTHORITY.matcher(authority);
        if (!shape.matches() || shape.group(2) != null && Integer.parseInt(shape.group(2), 1, shape.group(2).length(), 10) > 65_535) {
            return new Malformed("the host name is not written as one");
        }
        String name = shape.group(1);
        if (name.equals(domain.name())) {
            return new Other();
        }
        String label = name.endsWith("." + domain.name()) ? name.substring(0, name.length() - domain.name().length() - 1) : "";
        if (DOORS.contains(label)) {
            return new Other();
        }
        var parts = LABEL.matcher(label);
        if (!parts.matches()) {
            return new Malformed("names below " + domain.name() + " are PORT-SANDBOX");
        }
        int port = Integer.parseInt(parts.group(1));
        if (port > 65_535) {
            return new Malformed("ports are 1 to 65535");
        }
        return new Port(new SandboxId(parts.group(2)), port, authority);
    }

    /// Loosely, so that what is meant to look like ours without being it is refused and not answered by somebody else.
    private static boolean isBelow(String authority, PreviewDomain domain) {
        String name = name(authority.substring(authority.lastIndexOf('@') + 1)).strip();
        while (name.endsWith(".")) {
            name = name.substring(0, name.length() - 1);
        }
        return name.equals(domain.name()) || name.endsWith("." + domain.name());
    }

    private static String name(String authority) {
        int colon = authority.lastIndexOf(':');
        return colon < 0 ? authority : authority.substring(0, colon);
    }

    /// True for a name whose requests are the E2B door's.
    static boolean isReserved(PreviewHost host) {
        return host instanceof Port port && port.port() == PortForwarder.RESERVED_PORT;
    }
}
