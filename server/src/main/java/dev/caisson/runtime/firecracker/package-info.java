/// What Firecracker does in its own way.
///
/// Read first: [FirecrackerVmm].
@NullMarked
package dev.caisson.runtime.firecracker;

import org.jspecify.annotations.NullMarked;
