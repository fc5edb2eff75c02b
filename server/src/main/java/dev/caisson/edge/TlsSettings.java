package dev.caisson.edge;

import java.net.URI;
import java.nio.file.Path;

/// Which certificate is shown for the preview domain.
public sealed interface TlsSettings {
    /// The operator's, in PEM; read again when it changes.
    record OwnFiles(Path certificate, Path key) implements TlsSettings {}

    /// Ordered from an authority by ACME.
    ///
    /// @param server the authority's directory URL
    /// @param email told to the authority; may be empty
    record Acme(URI server, String email, DnsRecords records) implements TlsSettings {}

    /// Of an authority of this installation's own.
    record Local() implements TlsSettings {}
}
