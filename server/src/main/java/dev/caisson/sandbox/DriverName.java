package dev.caisson.sandbox;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// What runs a sandbox in its tier. Of one tier, the one to be preferred first.
public enum DriverName {
    /// Firecracker, on KVM.
    FIRECRACKER(Tier.MICROVM),
    /// QEMU, on KVM.
    QEMU(Tier.MICROVM),
    /// QEMU's software emulation: a kernel of its own, but not a security boundary by QEMU's own word. Only where the operator accepts it by name.
    QEMU_TCG(Tier.MICROVM),
    GVISOR(Tier.GVISOR),
    CONTAINER(Tier.CONTAINER);

    /// Said wherever an emulated wall is named.
    public static final String EMULATED = "emulated: not a security boundary";

    private final Tier tier;

    DriverName(Tier tier) {
        this.tier = tier;
    }

    public Tier tier() {
        return tier;
    }

    /// True when nothing but software stands between the guest and the host that was not made to keep a hostile guest in.
    public boolean isEmulated() {
        return this == QEMU_TCG;
    }

    /// True when a request for `asked` means this one: `qemu` is QEMU with whatever this machine gives it.
    public boolean isMeantBy(DriverName asked) {
        return this == asked || asked == QEMU && this == QEMU_TCG;
    }

    /// The name on wires and command lines, such as `qemu-tcg`.
    public String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// Reads a label; refuses anything else by naming the choices.
    public static DriverName parse(String label) {
        return Arrays.stream(values()).filter(each -> each.label().equals(label)).findFirst().orElseThrow(() -> Failure.Code.BAD_REQUEST.with(
                "unknown driver '" + Failure.shown(label) + "'", "choose one of: " + Arrays.stream(values()).map(DriverName::label).collect(Collectors.joining(", "))));
    }
}
