package dev.caisson.egress;

import dev.caisson.sandbox.EgressProtocol;
import java.util.Set;

/// What becomes of a connection, as far as it is known where it goes and not yet what it says.
public sealed interface Admission {
    /// @param rule that decided, such as `request:2`, `operator:default` or `metadata`
    /// @param reason for people
    record Refused(String rule, String reason) implements Admission {}

    /// @param rule that decided, of the first layer
    /// @param protocols which every layer allows there; with [EgressProtocol#TCP] bytes go through unseen
    /// @param inspect TLS is ended at the gateway, and every request asked about ([Judge#request]); never together with TCP
    /// @param watched a name that shows in what is said (TLS server name, Host) is to be asked about ([Judge#seen]), even where bytes go through unseen
    record Admitted(String rule, Set<EgressProtocol> protocols, boolean inspect, boolean watched) implements Admission {
        public Admitted {
            protocols = Set.copyOf(protocols);
        }

        public boolean raw() {
            return protocols.contains(EgressProtocol.TCP);
        }
    }
}
