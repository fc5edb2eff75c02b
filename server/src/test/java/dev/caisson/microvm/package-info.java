/// Tests of a promise, on a real node: a sandbox with a kernel of its own lives as in the other tiers, is nobody's twin, and leaves nothing.
///
/// Emulated by QEMU, so every machine that has QEMU runs them; what they prove of KVM is that nothing but the processor differs.
@NullMarked
package dev.caisson.microvm;

import org.jspecify.annotations.NullMarked;
