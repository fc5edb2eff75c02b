package dev.caisson.sandbox;

import java.util.List;

/// Figures of one node.
///
/// @param standingBy machines made ahead that are nobody's yet
/// @param leaked resources that a teardown could not release, since the store was made; must be zero
/// @param known every driver that it has, fit or not, the preferred ones first
public record NodeStatus(int alive, int standingBy, long created, long deleted, long failed, long leaked, List<DriverInfo> known, ByteSize residentMemory) {
    public NodeStatus {
        known = List.copyOf(known);
    }

    /// What this machine can run, the preferred ones first.
    public List<DriverName> drivers() {
        return known.stream().filter(DriverInfo::isFit).map(DriverInfo::name).toList();
    }

    /// What this machine can give, strongest first; not what it can only emulate.
    public List<Tier> tiers() {
        return drivers().stream().filter(driver -> !driver.isEmulated()).map(DriverName::tier).distinct().sorted().toList();
    }
}
