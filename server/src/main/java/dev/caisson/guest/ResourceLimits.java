package dev.caisson.guest;

/// Linux's numbers of the limits we set, from asm-generic/resource.h.
final class ResourceLimits {
    static final int CORE = 4;
    static final int NPROC = 6;
    static final int NOFILE = 7;

    private ResourceLimits() {}
}
