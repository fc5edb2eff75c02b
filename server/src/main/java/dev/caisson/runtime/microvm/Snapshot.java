package dev.caisson.runtime.microvm;

import dev.caisson.host.SealedMemory;
import java.nio.file.Path;
import java.util.Optional;

/// A frozen machine whose files were found to be what they were when they were made. Any number of machines may start from it, at once.
///
/// What a VMM maps is never something that a machine could write to.
///
/// @param memory the guest's memory in this process, unchangeable; there when [Vmm#needsSealedMemory]
/// @param memoryFile the file it was read from; root's, read-only
/// @param state the rest of the machine, as [Vmm#freeze] wrote it
/// @param disk an ext4 image, of which each machine gets a copy before it is restored
public record Snapshot(Optional<SealedMemory> memory, Path memoryFile, byte[] state, Path disk) {}
