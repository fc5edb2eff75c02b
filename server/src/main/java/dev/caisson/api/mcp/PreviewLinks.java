package dev.caisson.api.mcp;

import dev.caisson.sandbox.SandboxId;
import java.time.Duration;
import java.util.Optional;

/// Makes the addresses under which a port of a sandbox can be seen from outside.
public interface PreviewLinks {
    /// No address at all: no domain is configured.
    PreviewLinks NONE = (_, _, _) -> Optional.empty();

    /// A link that opens this one port for so long; empty when the installation has no domain for such addresses.
    Optional<String> link(SandboxId id, int port, Duration validFor);
}
