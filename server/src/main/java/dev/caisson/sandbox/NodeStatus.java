package dev.caisson.sandbox;

import java.util.List;

/// Figures of one node.
///
/// @param leaked resources that a teardown could not release, since the store was made; must be zero
/// @param drivers what this machine can run, the preferred ones first
public record NodeStatus(int alive, long created, long deleted, long failed, long leaked, List<DriverName> drivers, ByteSize residentMemory) {
    public NodeStatus {
        drivers = List.copyOf(drivers);
    }

    /// What this machine can give, strongest first; not what it can only emulate.
    public List<Tier> tiers() {
        return drivers.stream().filter(driver -> !driver.isEmulated()).map(DriverName::tier).distinct().sorted().toList();
    }
}
