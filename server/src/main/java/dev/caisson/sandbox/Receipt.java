package dev.caisson.sandbox;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What a destroyed sandbox leaves to its owner: why it ended, what it used, what it was refused, and every resource it held,
/// each checked to be gone.
///
/// @param driver what ran it; empty in receipts of before drivers had names
/// @param denied what limits refused, as the host counted it: `memory` (kills), `processes` (refused forks), `network` (refused packets)…
/// @param tenant whose it was
/// @param by which of the three guarantees did it: `keeper`, `deadman` or `sweep`
public record Receipt(
        SandboxId id, TemplateName template, Tier tier, Optional<DriverName> driver, Trust trust, String imageDigest, Instant created, Instant ended, EndReason reason, Usage usage,
        Map<String, Long> denied, List<Check> resources, String by, String tenant) {
    public Receipt {
        denied = Map.copyOf(denied);
        resources = List.copyOf(resources);
    }

    /// One resource after its release.
    ///
    /// @param detail why it is still there; empty when gone
    public record Check(Resource resource, boolean gone, String detail) {}

    /// How many resources are still there; anything but zero is a leak.
    public long leaks() {
        return resources.stream().filter(check -> !check.gone()).count();
    }
}
