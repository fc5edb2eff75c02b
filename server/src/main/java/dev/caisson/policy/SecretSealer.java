package dev.caisson.policy;

import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import java.util.List;
import java.util.Set;

/// Closes a secret's value so that the gateway alone can open it again; whoever seals cannot.
///
/// Threads: safe for many.
@FunctionalInterface
public interface SecretSealer {
    /// The value sealed for this name, these hosts and these places, with a placeholder of its own. The array is overwritten.
    ///
    /// Errors: [dev.caisson.sandbox.Failure.Code#EGRESS_UNAVAILABLE] where there is no gateway that could open it, and what [SecretBinding] refuses.
    SecretBinding seal(String name, List<HostPattern> hosts, Set<SecretBinding.Place> places, byte[] value);
}
