/// The microVM tier: a kernel of its own per sandbox, and all that is the same whichever VMM runs it: guest, boot and restore, identity, disk, network.
///
/// Read first: [MicrovmDriver], [Vmm].
/// Refuses to do: talking to a VMM, which `qemu` and `firecracker` do, each in its own package.
@NullMarked
package dev.caisson.runtime.microvm;

import org.jspecify.annotations.NullMarked;
