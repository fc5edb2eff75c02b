package dev.caisson.runtime.microvm;

import dev.caisson.host.SealedMemory;
import java.nio.file.Path;

/// A frozen machine whose files were found to be what they were when they were made. Any number of machines may start from it, at once.
///
/// @param memory the guest's memory in this process, unchangeable; what a VMM maps must be this or [#memoryFile], never something that a machine could write to
/// @param memoryFile the file it was read from; root's, read-only
/// @param state the rest of the machine, as [Vmm#freeze] wrote it
/// @param disk an ext4 image, of which each machine gets a copy before it is restored
public record Snapshot(SealedMemory memory, Path memoryFile, byte[] state, Path disk) {}
