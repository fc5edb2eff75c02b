package dev.caisson.node;

import dev.caisson.egress.GatewayLink;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.runtime.Drivers;
import java.time.Duration;
import java.time.InstantSource;
import java.util.random.RandomGenerator;

/// What every keeper of this machine stands on.
///
/// @param random unpredictable
record Machine(Home home, Journal journal, Teardown teardown, Cgroups cgroups, Drivers drivers, Uptime uptime, Alarms alarms, InstantSource clock, RandomGenerator random, Duration maxPaused, Plugs plugs, GatewayLink gateway) {}
