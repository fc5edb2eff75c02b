package dev.caisson.node;

import dev.caisson.egress.GatewayLink;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.runtime.Driver;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Tier;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// What every keeper of this machine stands on.
///
/// @param drivers one per tier that this program knows
record Machine(Home home, Journal journal, Teardown teardown, Cgroups cgroups, Map<Tier, Driver> drivers, Uptime uptime, Alarms alarms, InstantSource clock, Duration maxPaused, Plugs plugs, GatewayLink gateway) {
    Machine {
        drivers = new EnumMap<>(drivers);
    }

    /// The driver of a tier this host can give; never another one.
    Driver driver(Tier tier) {
        Driver driver = drivers.get(tier);
        if (driver == null) {
            throw Failure.Code.TIER_UNAVAILABLE.with("this node has no driver for tier " + tier.label(), "use one of: " + labels());
        }
        driver.unfit().ifPresent(why -> {
            throw Failure.Code.TIER_UNAVAILABLE.with("this node cannot give tier " + tier.label() + ": " + why, "`caisson doctor` says what it can give: " + labels());
        });
        return driver;
    }

    /// The driver of a sandbox that is there already: whether this host could still make one is not asked.
    Driver driverOf(Tier tier) {
        return Objects.requireNonNull(drivers.get(tier), "no driver for a tier that was admitted");
    }

    /// What this host can give, strongest first.
    List<Tier> tiers() {
        return drivers.values().stream().filter(driver -> driver.unfit().isEmpty()).map(Driver::tier).sorted(Comparator.naturalOrder()).toList();
    }

    private String labels() {
        return String.join(", ", tiers().stream().map(Tier::label).toList());
    }
}
