package dev.caisson.sandbox;

import java.util.List;

/// Figures of one node.
///
/// @param leaked resources that a teardown could not release, since the store was made; must be zero
/// @param tiers what this machine can give, strongest first
public record NodeStatus(int alive, long created, long deleted, long failed, long leaked, List<Tier> tiers, ByteSize residentMemory) {
    public NodeStatus {
        tiers = List.copyOf(tiers);
    }
}
