/// What QEMU does in its own way.
///
/// Read first: [QemuVmm].
@NullMarked
package dev.caisson.runtime.qemu;

import org.jspecify.annotations.NullMarked;
