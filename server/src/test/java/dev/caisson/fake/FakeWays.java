package dev.caisson.fake;

import dev.caisson.policy.EgressPolicy;
import dev.caisson.policy.Secrets;
import dev.caisson.policy.WayOut;
import java.util.Random;

/// Ways out of sandboxes without an operator's file, whose secrets are sealed by forgetting them.
public final class FakeWays {
    /// What every secret is sealed as.
    public static final String SEALED = "c2VhbGVkIGJ5IGZvcmdldHRpbmc=";

    private FakeWays() {}

    /// @param open the operator has consented to the whole internet
    public static WayOut ways(boolean open) {
        return new WayOut(new EgressPolicy(open), new Secrets((_, _, _) -> SEALED, new Random(11)));
    }
}
