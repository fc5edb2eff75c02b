package dev.caisson.client;

/// What runs a sandbox in its tier; of one tier, the one to be preferred first.
public enum Driver {
    FIRECRACKER(Tier.MICROVM),
    /// QEMU on KVM. As a wish it is also [#QEMU_TCG] where there is no KVM and the operator accepts that.
    QEMU(Tier.MICROVM),
    /// QEMU's emulation: a kernel of its own, but not a security boundary.
    QEMU_TCG(Tier.MICROVM),
    GVISOR(Tier.GVISOR),
    CONTAINER(Tier.CONTAINER);

    /// Said wherever an emulated wall is named.
    public static final String EMULATED = "emulated: not a security boundary";

    private final Tier tier;

    Driver(Tier tier) {
        this.tier = tier;
    }

    public Tier tier() {
        return tier;
    }

    /// True when it only emulates its tier, which is no security boundary then.
    public boolean isEmulated() {
        return this == QEMU_TCG;
    }

    /// The name on wires and command lines.
    public String label() {
        return Words.label(this);
    }
}
