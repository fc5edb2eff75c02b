package dev.caisson.policy;

import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Chooses the wall for a degree of trust: the weakest one allowed (the floor) unless a stronger one is asked for. Never a silent step down.
///
/// The floor of untrusted code is what the operator says ([WallSettings]) while the installation has several tenants: those with a key that is good, and the one that the sandbox is
/// for. An emulated wall stands for the tier of untrusted and reviewed code only where the operator accepts that; trusted code, which might share the host's kernel, may ask for it.
/// Threads: safe for many.
public final class TierPolicy {
    /// How long a node may take to find out what it has: a driver may have to run a guest first.
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final Duration LOOK = Duration.ofMillis(100);

    private final Sandboxes sandboxes;
    private final Predicate<String> hasOthers;
    private final WallSettings settings;
    /// What the node had when last asked; asked again when that does not do.
    private volatile List<DriverInfo> known = List.of();

    /// @param hasOthers true when another tenant than this one has a key that is good, as [KeyStore#hasOthers] says
    public TierPolicy(Sandboxes sandboxes, Predicate<String> hasOthers, WallSettings settings) {
        this.sandboxes = sandboxes;
        this.hasOthers = hasOthers;
        this.settings = settings;
    }

    /// @param driver empty: what the node prefers in that tier, which is never an emulated one
    public record Choice(Tier tier, Optional<DriverName> driver) {}

    /// What untrusted code of a tenant is in for.
    ///
    /// @param shared the installation has several tenants
    /// @param floor the weakest tier it may run in
    /// @param unmet why such code is refused unless it asks for something else, where it is
    public record Standing(boolean shared, Tier floor, boolean acceptsEmulated, Optional<Failure> unmet) {}

    /// What was asked for, and what must be.
    private record Wish(Trust trust, Tier tier, Optional<DriverName> driver, Floor floor) {
        boolean mayBe(DriverName name) {
            return name.tier() == tier && driver.map(name::isMeantBy).orElse(true);
        }
    }

    /// @param ofTenants it is as high as it is because of several tenants
    private record Floor(Tier tier, boolean ofTenants) {}

    /// The wall to use. Without any wish it is the floor; of a driver alone it is that driver's tier. Waits while the node finds out whether it has what is asked for.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST] when `driver` is not of the tier `asked`, [Failure.Code#TIER_TOO_WEAK] below the floor, [Failure.Code#TIER_UNAVAILABLE] when the node cannot
    /// give a microVM, or not as a security boundary.
    public Choice choose(Trust trust, String tenant, Optional<Tier> asked, Optional<DriverName> driver) {
        Floor floor = floor(trust, tenant);
        Tier tier = asked.or(() -> driver.map(DriverName::tier)).orElse(floor.tier());
        if (driver.isPresent() && driver.get().tier() != tier) {
            throw Failure.Code.BAD_REQUEST.with(
                    "driver " + driver.get().label() + " is of tier " + driver.get().tier().label() + ", not of tier " + tier.label(), "name one of the two, or a driver of that tier");
        }
        if (!tier.isAtLeast(floor.tier())) {
            throw tooWeak(trust, tier, floor);
        }
        var wish = new Wish(trust, tier, driver, floor);
        // Tiers that are never emulated leave nothing to choose, and the node refuses what it cannot give. To ask it first would have it try its VMMs, which takes its time.
        return tier == Tier.MICROVM || driver.isPresent() ? availableInTime(wish) : new Choice(tier, Optional.empty());
    }

    private Choice availableInTime(Wish wish) {
        long until = System.nanoTime() + PATIENCE.toNanos();
        ask(wish);
        try {
            while (isBeingTried(wish) && System.nanoTime() < until) {
                Thread.sleep(LOOK);
                ask(wish);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        return available(wish);
    }

    private void ask(Wish wish) {
        if (real(wish).isEmpty()) {
            known = sandboxes.status().known();
        }
    }

    /// True while something better than what there is may turn out to be there.
    private boolean isBeingTried(Wish wish) {
        return real(wish).isEmpty() && known.stream().anyMatch(each -> each.isBeingTried() && wish.mayBe(each.name()));
    }

    private Choice available(Wish wish) {
        Optional<DriverName> chosen = real(wish).or(() -> emulated(wish).filter(_ -> mayBeEmulated(wish.trust())));
        if (chosen.isEmpty()) {
            throw unavailable(wish);
        }
        // Which of its real ones a node prefers is the node's to say; an emulated one must be named.
        return new Choice(wish.tier(), chosen.filter(name -> wish.driver().isPresent() || name.isEmulated()));
    }

    /// What untrusted code without a wish gets of this tenant.
    public Standing standing(String tenant) {
        Floor floor = floor(Trust.UNTRUSTED, tenant);
        Optional<Failure> unmet = Optional.empty();
        var wish = new Wish(Trust.UNTRUSTED, floor.tier(), Optional.empty(), floor);
        ask(wish);
        try {
            available(wish);
        } catch (SandboxException e) {
            if (e.code() != Failure.Code.TIER_UNAVAILABLE) {
                throw e;
            }
            unmet = Optional.of(e.failure());
        }
        return new Standing(hasOthers.test(tenant), floor.tier(), settings.acceptsEmulated(), unmet);
    }

    private Floor floor(Trust trust, String tenant) {
        boolean raises = trust == Trust.UNTRUSTED && settings.tenantFloor() != trust.floor() && hasOthers.test(tenant);
        return raises ? new Floor(settings.tenantFloor(), true) : new Floor(trust.floor(), false);
    }

    private boolean mayBeEmulated(Trust trust) {
        return trust == Trust.TRUSTED || settings.acceptsEmulated();
    }

    /// The best one that is fit and was made to keep a hostile guest in.
    private Optional<DriverName> real(Wish wish) {
        return fit().filter(wish::mayBe).filter(name -> !name.isEmulated()).findFirst();
    }

    private Optional<DriverName> emulated(Wish wish) {
        return fit().filter(wish::mayBe).filter(DriverName::isEmulated).findFirst();
    }

    private Stream<DriverName> fit() {
        return known.stream().filter(DriverInfo::isFit).map(DriverInfo::name);
    }

    private static SandboxException tooWeak(Trust trust, Tier tier, Floor floor) {
        if (floor.ofTenants()) {
            return Failure.Code.TIER_TOO_WEAK.with(
                    trust.label() + " code may not run in tier " + tier.label() + " while this installation has several tenants: the weakest wall for it is then " + floor.tier().label(),
                    "use --tier " + floor.tier().label() + "; only the operator can lower it, with `caisson up --tenant-floor gvisor`");
        }
        return Failure.Code.TIER_TOO_WEAK.with(
                trust.label() + " code may not run in tier " + tier.label() + ": the weakest wall for it is " + floor.tier().label(),
                "use --tier " + floor.tier().label() + ", or say --trust trusted if this code is as trusted as your own programs");
    }

    private SandboxException unavailable(Wish wish) {
        boolean forced = wish.floor().ofTenants() && wish.tier() == wish.floor().tier();
        String because = forced ? "untrusted code of several tenants needs tier " + wish.tier().label() + ", and " : "";
        String lower = forced ? ", or lower the floor for all with `caisson up --tenant-floor gvisor`" : "";
        String asked = wish.driver().map(name -> "driver " + name.label()).orElse("tier " + wish.tier().label());
        if (isBeingTried(wish)) {
            return Failure.Code.TIER_UNAVAILABLE.with(because + "it is not known yet whether this machine can give " + asked + why(wish), "ask again in some seconds");
        }
        Optional<DriverName> emulated = emulated(wish);
        if (emulated.isPresent()) {
            String what = wish.driver().filter(DriverName::isEmulated).isPresent() ? "" : "tier " + wish.tier().label() + " is only emulated here; ";
            return Failure.Code.TIER_UNAVAILABLE.with(
                    because + what + emulated.get().label() + " is " + DriverName.EMULATED,
                    "use a machine with KVM, or accept it by name with --accept-emulated (of `caisson up`, or of a `caisson run` where none is up)" + lower);
        }
        return Failure.Code.TIER_UNAVAILABLE.with(
                because + "this machine cannot give " + asked + why(wish) + "; it has: " + there(), "run `caisson doctor` to see what is missing" + (forced ? lower : ", or ask for a tier that is there"));
    }

    private String why(Wish wish) {
        String why = known.stream().filter(each -> wish.mayBe(each.name()) && !each.isFit()).map(each -> each.name().label() + ": " + each.unfit()).collect(Collectors.joining("; "));
        return why.isEmpty() ? "" : " (" + why + ")";
    }

    private String there() {
        String there = fit().map(name -> name.isEmulated() ? name.label() + " (" + DriverName.EMULATED + ")" : name.tier().label()).distinct().collect(Collectors.joining(", "));
        return there.isEmpty() ? "none" : there;
    }
}
