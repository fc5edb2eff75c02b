package dev.caisson.app;

import dev.caisson.api.PreviewDomain;
import dev.caisson.edge.TlsSettings;
import dev.caisson.sandbox.Failure;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// Where previews are found.
///
/// @param name the domain
/// @param port that clients connect to, where it is another than the one that is listened on
/// @param tlsListen empty: no TLS here
record PreviewSettings(String name, OptionalInt port, Optional<InetSocketAddress> tlsListen, TlsSettings tls) {
    /// Options that only make sense with a domain.
    static final java.util.List<String> OPTIONS = java.util.List.of("--tls-listen", "--tls-cert", "--tls-key", "--acme-directory", "--acme-email", "--acme-dns-hook");

    /// @param options name, with dashes, and value
    /// @param directory for what is written meanwhile
    static Optional<PreviewSettings> of(Map<String, String> options, Path directory) {
        String domain = options.get("--domain");
        if (domain == null) {
            OPTIONS.stream().filter(options::containsKey).findFirst().ifPresent(option -> {
                throw Failure.Code.BAD_REQUEST.with(option + " is given, but no --domain", "name the domain whose names lead here, with --domain");
            });
            return Optional.empty();
        }
        int colon = domain.indexOf(':');
        String name = colon < 0 ? domain : domain.substring(0, colon);
        OptionalInt port = colon < 0 ? OptionalInt.empty() : OptionalInt.of(port(domain.substring(colon + 1)));
        // Refuses what is no domain.
        var checked = new PreviewDomain(name, port.orElse(443), true);
        String listen = options.getOrDefault("--tls-listen", "off");
        return Optional.of(new PreviewSettings(checked.name(), port, listen.equals("off") ? Optional.empty() : Optional.of(FrontSettings.address(listen)), tls(options, directory)));
    }

    private static TlsSettings tls(Map<String, String> options, Path directory) {
        boolean files = options.containsKey("--tls-cert") || options.containsKey("--tls-key");
        boolean acme = options.containsKey("--acme-directory") || options.containsKey("--acme-dns-hook");
        if (files && acme) {
            throw Failure.Code.BAD_REQUEST.with("both a certificate and an authority to order one from are given", "give --tls-cert and --tls-key, or the --acme options");
        }
        if (files) {
            return new TlsSettings.OwnFiles(file(options, "--tls-cert", "--tls-key"), file(options, "--tls-key", "--tls-cert"));
        }
        if (!acme) {
            return new TlsSettings.Local();
        }
        Path hook = file(options, "--acme-dns-hook", "--acme-directory");
        String server = options.get("--acme-directory");
        if (server == null || !server.matches("(https|acme)://[!-~]+")) {
            throw Failure.Code.BAD_REQUEST.with("--acme-directory is not the address of an authority", "write it like https://acme-v02.api.letsencrypt.org/directory");
        }
        return new TlsSettings.Acme(URI.create(server), options.getOrDefault("--acme-email", ""), new DnsHook(hook, directory.resolve("dns-hook.log")));
    }

    private static Path file(Map<String, String> options, String name, String other) {
        String value = options.get(name);
        if (value == null) {
            throw Failure.Code.BAD_REQUEST.with(other + " is given without " + name, "give both");
        }
        return Path.of(value).toAbsolutePath();
    }

    private static int port(String text) {
        if (!text.matches("[1-9][0-9]{0,4}") || Integer.parseInt(text) > 65_535) {
            throw Failure.Code.BAD_REQUEST.with("not a port: '" + Failure.shown(text) + "'", "write the domain like sandboxes.example.org or sandboxes.example.org:8443");
        }
        return Integer.parseInt(text);
    }

    /// The domain as clients write it.
    ///
    /// @param plain port that is listened on without TLS
    /// @param secure with it
    PreviewDomain domain(int plain, OptionalInt secure) {
        return new PreviewDomain(name, port.orElse(secure.orElse(plain)), secure.isPresent());
    }
}
