package dev.caisson.client;

/// How a sandbox is isolated, strongest first.
public enum Tier {
    /// A kernel of its own behind hardware virtualization.
    MICROVM,
    /// A kernel of its own in user space.
    GVISOR,
    /// A hardened container on the host's kernel; for trusted code only.
    CONTAINER;

    /// The name on wires and command lines.
    public String label() {
        return Words.label(this);
    }
}
