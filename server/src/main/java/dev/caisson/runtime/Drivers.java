package dev.caisson.runtime;

import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/// The drivers of one installation, and which of them a sandbox gets.
///
/// Threads: safe for many.
public final class Drivers {
    private final List<Driver> all;

    /// @param all at most one of each kind
    public Drivers(List<Driver> all) {
        this.all = all.stream().sorted(Comparator.comparing(Driver::kind)).toList();
    }

    /// The driver for a new sandbox; never one of another tier, and an emulated one only where it is asked for by name. Waits until it is known whether one is fit.
    ///
    /// Errors: [Failure.Code#TIER_UNAVAILABLE] that says what is missing.
    public Driver forNew(SandboxSpec spec) {
        var candidates = all.stream().filter(driver -> mayRun(driver.kind(), spec)).toList();
        if (candidates.isEmpty()) {
            throw Failure.Code.TIER_UNAVAILABLE.with("this node has no driver for tier " + spec.tier().label(), "use one of: " + labels());
        }
        return candidates.stream().filter(driver -> driver.unfit().isEmpty()).findFirst().orElseThrow(() -> {
            String why = candidates.stream().flatMap(driver -> driver.unfit().stream()).collect(Collectors.joining("; "));
            return Failure.Code.TIER_UNAVAILABLE.with("this node cannot give tier " + spec.tier().label() + ": " + why, "`caisson doctor` says what it can give: " + labels());
        });
    }

    private static boolean mayRun(DriverName driver, SandboxSpec spec) {
        return driver.tier() == spec.tier() && (spec.driver().isPresent() ? driver == spec.driver().get() : !driver.isEmulated());
    }

    /// The driver of a sandbox that is there already: whether this host could still make one is not asked.
    public Driver of(SandboxSpec spec) {
        DriverName kind = kindOf(spec);
        return all.stream().filter(driver -> driver.kind() == kind).findFirst().orElseThrow(() -> new IllegalStateException("no driver " + kind + " for a sandbox that was admitted"));
    }

    /// Rows of before drivers had names do not say it: then each tier had one.
    private static DriverName kindOf(SandboxSpec spec) {
        return spec.driver().orElseGet(() -> spec.tier() == Tier.CONTAINER ? DriverName.CONTAINER : DriverName.GVISOR);
    }

    /// All of them and what keeps this host from running some, the preferred ones first. Does not wait for what takes long to find out: it is begun, and said of the driver.
    public List<DriverInfo> all() {
        return all.stream().map(Drivers::known).toList();
    }

    /// Begins what takes long to find out of this host, and does not wait for it.
    public void beginTrials() {
        all.forEach(Driver::beingTried);
    }

    private static DriverInfo known(Driver driver) {
        var tried = driver.beingTried();
        if (tried.isPresent()) {
            return DriverInfo.beingTried(driver.kind(), driver.name(), tried.get());
        }
        return driver.unfit().map(why -> DriverInfo.unfit(driver.kind(), driver.name(), why)).orElseGet(() -> DriverInfo.fit(driver.kind(), driver.name()));
    }

    private String labels() {
        return all().stream().filter(DriverInfo::isFit).map(DriverInfo::name).map(driver -> driver.isEmulated() ? driver.label() + " (" + DriverName.EMULATED + ")" : driver.tier().label()).collect(Collectors.joining(", "));
    }
}
