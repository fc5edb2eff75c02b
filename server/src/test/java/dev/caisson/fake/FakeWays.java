package dev.caisson.fake;

import dev.caisson.policy.EgressPolicy;
import dev.caisson.policy.Secrets;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SecretBinding;
import java.util.Base64;
import java.util.List;
import java.util.Random;

/// Ways out of sandboxes without an operator's file, whose secrets are sealed by forgetting them.
public final class FakeWays {
    /// What every secret is sealed as.
    public static final String SEALED = "c2VhbGVkIGJ5IGZvcmdldHRpbmc=";

    private FakeWays() {}

    /// @param open the operator has consented to the whole internet
    public static WayOut ways(boolean open) {
        var random = new Random(11);
        return new WayOut(EgressPolicy.standard(open, FakeWays::preset), new Secrets((name, hosts, places, _) -> {
            byte[] id = new byte[24];
            random.nextBytes(id);
            return new SecretBinding(name, "csn-" + Base64.getUrlEncoder().withoutPadding().encodeToString(id), hosts, places, SEALED);
        }));
    }

    private static List<EgressRule> preset(String name) {
        if (!name.equals("model-apis")) {
            throw Failure.Code.BAD_REQUEST.with("there is no preset '" + Failure.shown(name) + "'", "choose model-apis");
        }
        return List.of(EgressRule.allow("api.example.com"));
    }
}
