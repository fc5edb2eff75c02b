package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// Chooses the wall for a degree of trust: the weakest one allowed (the floor) unless a stronger one is asked for. Never a silent step down.
///
/// Threads: safe for many.
public final class TierPolicy {
    private final Sandboxes sandboxes;
    /// What the node gave when last asked; asked again when it does not have what is wanted.
    private volatile List<Tier> available = List.of();

    public TierPolicy(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    /// The tier to use.
    ///
    /// Errors: [Failure.Code#TIER_TOO_WEAK] when `asked` is weaker than the floor, [Failure.Code#TIER_UNAVAILABLE] when the node cannot give it.
    public Tier choose(Trust trust, Optional<Tier> asked) {
        Tier tier = asked.orElse(trust.floor());
        if (!tier.isAtLeast(trust.floor())) {
            throw Failure.Code.TIER_TOO_WEAK.with(
                    trust.label() + " code may not run in tier " + tier.label() + ": the weakest wall for it is " + trust.floor().label(),
                    "use --tier " + trust.floor().label() + ", or say --trust trusted if this code is as trusted as your own programs");
        }
        if (!available.contains(tier)) {
            available = sandboxes.status().tiers();
            if (!available.contains(tier)) {
                throw unavailable(tier, available);
            }
        }
        return tier;
    }

    private static RuntimeException unavailable(Tier tier, List<Tier> available) {
        String there = available.isEmpty() ? "none" : available.stream().map(Tier::label).collect(Collectors.joining(", "));
        return Failure.Code.TIER_UNAVAILABLE.with(
                "this machine cannot give tier " + tier.label() + "; it has: " + there, "run `caisson doctor` to see what is missing, or ask for a tier that is there");
    }
}
