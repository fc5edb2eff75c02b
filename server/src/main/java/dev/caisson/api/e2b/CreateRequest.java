package dev.caisson.api.e2b;

import dev.caisson.json.JsonObject;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.Waking;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Trust;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Turns the body of a create into a spec: every default becomes explicit here, once.
final class CreateRequest {
    private static final String DEFAULT_TAG = ":default";

    private final Sandboxes sandboxes;
    private final TierPolicy tiers;
    private final E2bSettings settings;
    private final WayOut ways;

    CreateRequest(Sandboxes sandboxes, TierPolicy tiers, E2bSettings settings, WayOut ways) {
        this.sandboxes = sandboxes;
        this.tiers = tiers;
        this.settings = settings;
        this.ways = ways;
    }

    /// @param lease when the body names none
    SandboxSpec read(JsonObject in, Duration lease, String tenant, String idempotencyKey) {
        TemplateName template = template(in.text("templateID", "base"));
        refuseWhatIsNotThere(in);
        var layer = NetworkWish.ofCreate(in).layer(ways.isOpen(), settings.internet());
        var egress = ways.compose(layer, EgressBudget.DEFAULT, List.of(), tenant, template);
        boolean pause = in.truth("autoPause", false);
        var metadata = Metadata.toLabels(in.map("metadata"));
        var labels = resumes(in) ? Waking.wish(metadata) : metadata;
        var wall = tiers.choose(Trust.UNTRUSTED, tenant, Optional.empty(), Optional.empty());
        return new SandboxSpec(
                template, Trust.UNTRUSTED, wall.tier(), limits(template), lease(in, "timeout").orElse(lease),
                in.map("envVars"), labels, tenant, idempotencyKey, pause ? SandboxSpec.OnLeaseEnd.PAUSE : SandboxSpec.OnLeaseEnd.DELETE, publicPorts(in), egress, wall.driver());
    }

    /// Ports are private unless the maker says otherwise in so many words, or the operator did for all.
    private boolean publicPorts(JsonObject in) {
        boolean unsaid = settings.ports() == E2bSettings.Ports.PUBLIC;
        return in.child("network").map(network -> network.truth("allowPublicTraffic", unsaid)).orElse(unsaid);
    }

    /// A template that is not there is refused by whoever makes the sandbox.
    private Limits limits(TemplateName template) {
        if (template.equals(TemplateName.BASE)) {
            return Limits.DEFAULT;
        }
        return sandboxes.templates().stream().filter(known -> known.name().equals(template)).map(TemplateInfo::limits).findFirst().orElse(Limits.DEFAULT);
    }

    /// A number of whole seconds for which a sandbox may live.
    static Optional<Duration> lease(JsonObject in, String key) {
        Optional<Long> seconds = in.wholeOr(key, Long.MIN_VALUE, Long.MAX_VALUE);
        seconds.ifPresent(value -> {
            if (value <= 0 || value > SandboxSpec.MAX_LEASE.toSeconds()) {
                throw new Refusal(400, key + " must be 1 to " + SandboxSpec.MAX_LEASE.toSeconds() + " seconds, got " + value);
            }
        });
        return seconds.map(Duration::ofSeconds);
    }

    static TemplateName template(String asked) {
        String name = asked.endsWith(DEFAULT_TAG) ? asked.substring(0, asked.length() - DEFAULT_TAG.length()) : asked;
        try {
            return name.isEmpty() ? TemplateName.BASE : new TemplateName(name);
        } catch (SandboxException _) {
            throw new Refusal(404, "template '" + Failure.shown(asked) + "' not found");
        }
    }

    private static void refuseWhatIsNotThere(JsonObject in) {
        if (!in.truth("autoPauseMemory", true)) {
            throw withoutMemory("autoPauseMemory=false");
        }
        if (in.child("iam").flatMap(iam -> iam.child("tokens")).map(tokens -> !tokens.names().isEmpty()).orElse(false)) {
            throw new Refusal(400, "iam tokens are not supported by this server");
        }
        if (in.has("volumeMounts") && !in.isEmptyList("volumeMounts")) {
            throw new Refusal(400, "volumes are not supported by this server");
        }
    }

    /// Whether a request to it wakes the sandbox when it is paused.
    private static boolean resumes(JsonObject in) {
        return in.child("autoResume").map(resume -> resume.truth("enabled", false)).orElse(false);
    }

    static Refusal withoutMemory(String wish) {
        return new Refusal(400, wish + " is not supported by this server: a paused sandbox keeps its memory", "snapshot_filesystem_only_disabled");
    }
}
