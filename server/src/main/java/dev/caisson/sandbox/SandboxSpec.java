package dev.caisson.sandbox;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/// Everything a sandbox is made from; every default and limit is explicit here, no part below it guesses.
///
/// @param lease how long it may live, from creation; it is torn down then, whoever is connected. 1 second to 24 hours
/// @param env variables of every command in it, below the command's own
/// @param labels free text of the owner's, for finding it again; at most 64 pairs, 4,096 characters a part
/// @param tenant whose it is; nobody else's key sees it
/// @param idempotencyKey a create with the key of one of the same tenant's that still lives answers that one; empty means none
/// @param onLeaseEnd what becomes of it when its lease is over
/// @param publicPorts whoever knows the id may reach its ports through their preview URLs; otherwise only who holds its token or a link
/// @param egress what it may reach outside
/// @param driver what is to run it; empty: what the node prefers in that tier, which is never an emulated one. Of a sandbox that was made it is what runs it
public record SandboxSpec(
        TemplateName template, Trust trust, Tier tier, Limits limits, Duration lease, Map<String, String> env, Map<String, String> labels, String tenant, String idempotencyKey,
        OnLeaseEnd onLeaseEnd, boolean publicPorts, Egress egress, Optional<DriverName> driver) {
    /// What becomes of a sandbox when its lease is over.
    public enum OnLeaseEnd {
        DELETE,
        /// It is paused as if asked, and deleted when it has been paused for too long.
        PAUSE
    }

    public static final String DEFAULT_TENANT = "default";
    public static final Duration DEFAULT_LEASE = Duration.ofMinutes(5);
    public static final Duration MIN_LEASE = Duration.ofSeconds(1);
    public static final Duration MAX_LEASE = Duration.ofHours(24);
    public static final int MAX_LABELS = 64;
    public static final int MAX_LABEL_CHARS = 4_096;
    private static final Pattern TENANT = Pattern.compile("[a-z0-9][a-z0-9-]{0,62}");
    private static final Pattern IDEMPOTENCY_KEY = Pattern.compile("[A-Za-z0-9_-]{1,255}");

    public SandboxSpec {
        if (!tier.isAtLeast(trust.floor())) {
            throw Failure.Code.TIER_TOO_WEAK.with(
                    trust.label() + " code may not run in tier " + tier.label() + ": the weakest wall for it is " + trust.floor().label(),
                    "use --tier " + trust.floor().label() + ", or say --trust trusted if this code is as trusted as your own programs");
        }
        if (lease.compareTo(MIN_LEASE) < 0 || lease.compareTo(MAX_LEASE) > 0) {
            throw Failure.Code.OUT_OF_RANGE.with("the lease must be 1 second to 24 hours, got " + lease.toSeconds() + " s", "ask for a time in that range");
        }
        if (driver.isPresent() && driver.get().tier() != tier) {
            throw Failure.Code.BAD_REQUEST.with("driver " + driver.get().label() + " is not of tier " + tier.label(), "name its tier, " + driver.get().tier().label() + ", or leave one of the two away");
        }
        env = Environment.checked(env);
        if (labels.size() > MAX_LABELS || labels.entrySet().stream().anyMatch(e -> e.getKey().length() > MAX_LABEL_CHARS || e.getValue().length() > MAX_LABEL_CHARS)) {
            throw Failure.Code.OUT_OF_RANGE.with("too many or too long labels", "at most " + MAX_LABELS + " labels of at most " + MAX_LABEL_CHARS + " characters");
        }
        labels = Map.copyOf(labels);
        checkTenant(tenant);
        if (!idempotencyKey.isEmpty() && !IDEMPOTENCY_KEY.matcher(idempotencyKey).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not an idempotency key: '" + Failure.shown(idempotencyKey) + "'", "use 1 to 255 of A-Z, a-z, 0-9, '-' and '_'");
        }
    }

    /// Refuses what cannot be a tenant's name.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST].
    public static void checkTenant(String tenant) {
        if (!TENANT.matcher(tenant).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a tenant: '" + Failure.shown(tenant) + "'", "use 1 to 63 of a-z, 0-9 and '-', starting with a letter or digit");
        }
    }

    /// One that is deleted when its lease is over, whose ports are private, and which reaches nothing outside.
    public SandboxSpec(
            TemplateName template, Trust trust, Tier tier, Limits limits, Duration lease, Map<String, String> env, Map<String, String> labels, String tenant, String idempotencyKey) {
        this(template, trust, tier, limits, lease, env, labels, tenant, idempotencyKey, OnLeaseEnd.DELETE, false, Egress.NONE, Optional.empty());
    }

    /// A sandbox of the default tenant, without an idempotency key.
    public SandboxSpec(TemplateName template, Trust trust, Tier tier, Limits limits, Duration lease, Map<String, String> env, Map<String, String> labels) {
        this(template, trust, tier, limits, lease, env, labels, DEFAULT_TENANT, "");
    }

    public SandboxSpec withTenant(String other) {
        return new SandboxSpec(template, trust, tier, limits, lease, env, labels, other, idempotencyKey, onLeaseEnd, publicPorts, egress, driver);
    }

    public SandboxSpec withIdempotencyKey(String key) {
        return new SandboxSpec(template, trust, tier, limits, lease, env, labels, tenant, key, onLeaseEnd, publicPorts, egress, driver);
    }

    public SandboxSpec withLabels(Map<String, String> others) {
        return new SandboxSpec(template, trust, tier, limits, lease, env, others, tenant, idempotencyKey, onLeaseEnd, publicPorts, egress, driver);
    }

    public SandboxSpec withOnLeaseEnd(OnLeaseEnd other) {
        return new SandboxSpec(template, trust, tier, limits, lease, env, labels, tenant, idempotencyKey, other, publicPorts, egress, driver);
    }

    /// The same, its ports open to whoever knows the id, or not.
    public SandboxSpec withPublicPorts(boolean open) {
        return new SandboxSpec(template, trust, tier, limits, lease, env, labels, tenant, idempotencyKey, onLeaseEnd, open, egress, driver);
    }

    public SandboxSpec withEgress(Egress other) {
        return new SandboxSpec(template, trust, tier, limits, lease, env, labels, tenant, idempotencyKey, onLeaseEnd, publicPorts, other, driver);
    }

    /// The same, run by that driver, which must be of its tier.
    public SandboxSpec withDriver(DriverName other) {
        return new SandboxSpec(template, trust, tier, limits, lease, env, labels, tenant, idempotencyKey, onLeaseEnd, publicPorts, egress, Optional.of(other));
    }

    /// The defaults: template `base`, untrusted, gVisor, default limits, 5 minutes.
    public static SandboxSpec defaults() {
        return new SandboxSpec(TemplateName.BASE, Trust.UNTRUSTED, Tier.GVISOR, Limits.DEFAULT, DEFAULT_LEASE, Map.of(), Map.of());
    }
}
