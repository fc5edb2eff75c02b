package dev.caisson.policy;

import dev.caisson.sandbox.HostPattern;
import java.util.List;

/// Closes a secret's value so that the gateway alone can open it again; whoever seals cannot.
///
/// Threads: safe for many.
@FunctionalInterface
public interface SecretSealer {
    /// The sealed value, base64, good for this name and these hosts only.
    ///
    /// Errors: [dev.caisson.sandbox.Failure.Code#EGRESS_UNAVAILABLE] where there is no gateway that could open it.
    String seal(String name, List<HostPattern> hosts, byte[] value);
}
