package dev.caisson.node;

import dev.caisson.egress.GatewayLink;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.runtime.Drivers;
import java.time.Duration;
import java.time.InstantSource;

/// What every keeper of this machine stands on.
record Machine(Home home, Journal journal, Teardown teardown, Cgroups cgroups, Drivers drivers, Uptime uptime, Alarms alarms, InstantSource clock, Duration maxPaused, Plugs plugs, GatewayLink gateway) {}
