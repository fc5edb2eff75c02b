/// The gVisor tier: a kernel in user space per sandbox (runsc, systrap).
///
/// Read first: [GvisorDriver].
@NullMarked
package dev.caisson.runtime.gvisor;

import org.jspecify.annotations.NullMarked;
