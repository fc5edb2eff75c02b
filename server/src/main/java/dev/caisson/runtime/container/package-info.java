/// The container tier: a hardened container on the host's kernel, for trusted code only (runc or crun).
///
/// Read first: [ContainerDriver], [SystemCalls] (what the kernel is asked at all).
@NullMarked
package dev.caisson.runtime.container;

import org.jspecify.annotations.NullMarked;
