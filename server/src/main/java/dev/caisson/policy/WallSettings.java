package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;

/// What the operator has said of walls. No request can say it.
///
/// @param tenantFloor the weakest tier of untrusted code while the installation has several tenants
/// @param acceptsEmulated a microVM that is only emulated counts as one, although it is no security boundary
public record WallSettings(Tier tenantFloor, boolean acceptsEmulated) {
    public static final WallSettings DEFAULT = new WallSettings(Tier.MICROVM, false);

    public WallSettings {
        if (!tenantFloor.isAtLeast(Trust.UNTRUSTED.floor())) {
            throw Failure.Code.BAD_REQUEST.with("untrusted code never runs in tier " + tenantFloor.label() + ", so that cannot be the floor of tenants", "choose microvm or gvisor");
        }
    }

    public WallSettings withTenantFloor(Tier floor) {
        return new WallSettings(floor, acceptsEmulated);
    }

    public WallSettings withAcceptsEmulated(boolean accepted) {
        return new WallSettings(tenantFloor, accepted);
    }
}
