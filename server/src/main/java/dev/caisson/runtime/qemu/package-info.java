/// What QEMU does in its own way.
///
/// Read first: [QemuVmm], [Jail], [Qmp]. Why it is so: docs/decisions/0020-qemu-walls.md.
/// Refuses to do: running a VMM outside its jail, and believing what one says.
@NullMarked
package dev.caisson.runtime.qemu;

import org.jspecify.annotations.NullMarked;
