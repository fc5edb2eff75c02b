package dev.caisson.sandbox;

import java.util.Locale;

/// How a sandbox is isolated, strongest first. The order of the constants is the order of strength.
public enum Tier {
    /// A kernel of its own behind hardware virtualization.
    MICROVM,
    /// gVisor: a kernel of its own in user space; system calls of the guest never reach the host's kernel directly.
    GVISOR,
    /// A hardened container on the host's kernel. For trusted code only.
    CONTAINER;

    /// True when this wall is at least as strong as `floor`.
    public boolean isAtLeast(Tier floor) {
        return compareTo(floor) <= 0;
    }

    /// The name on wires and command lines: lower case.
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /// Reads a label; refuses anything else by naming the choices.
    public static Tier parse(String label) {
        for (Tier tier : values()) {
            if (tier.label().equals(label)) {
                return tier;
            }
        }
        throw Failure.Code.BAD_REQUEST.with("unknown tier '" + Failure.shown(label) + "'", "choose microvm, gvisor or container");
    }
}
