package dev.caisson.egress;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.SandboxId;
import java.net.InetAddress;
import java.time.Instant;

/// What the gateway is told of a sandbox: where it comes from, and what it may reach.
///
/// @param address its IPv4 address in the gateway's network, which no other living sandbox has
/// @param address6 its IPv6 address there
/// @param created from when on its authority's certificate is valid
public record Registration(SandboxId sandbox, InetAddress address, InetAddress address6, Instant created, Egress egress) {
    public Registration withEgress(Egress other) {
        return new Registration(sandbox, address, address6, created, other);
    }
}
