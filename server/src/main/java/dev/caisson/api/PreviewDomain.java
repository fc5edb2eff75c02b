package dev.caisson.api;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.net.URI;
import java.util.Locale;
import java.util.regex.Pattern;

/// The name below which every port of every sandbox has a host name of its own: `<port>-<id>.<name>`.
///
/// @param name lower case, at least one label; a wildcard in DNS leads all names below it here
/// @param port the one that clients connect to; the scheme's own is left out of URLs
/// @param tls whether clients speak TLS
public record PreviewDomain(String name, int port, boolean tls) {
    /// With 26 characters before it, a name of this length still fits into the 253 that DNS allows.
    private static final int MAX_NAME = 200;
    private static final Pattern NAME = Pattern.compile("([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?");

    public PreviewDomain {
        name = name.toLowerCase(Locale.ROOT);
        if (name.length() > MAX_NAME || !NAME.matcher(name).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a domain: '" + Failure.shown(name) + "'", "write it like sandboxes.example.org, in ASCII, without a dot at its end");
        }
        if (port < 1 || port > 65_535) {
            throw Failure.Code.OUT_OF_RANGE.with("ports are 1 to 65535, got " + port, "name the port that clients connect to");
        }
    }

    /// The name, with the port where clients have to say it: what clients of E2B call the domain.
    public String authority() {
        return port == (tls ? 443 : 80) ? name : name + ":" + port;
    }

    /// Where a port of a sandbox is found.
    public URI url(SandboxId sandbox, int sandboxPort) {
        return URI.create((tls ? "https://" : "http://") + sandboxPort + "-" + sandbox.value() + "." + authority() + "/");
    }
}
