package dev.caisson.runtime.firecracker;

import java.nio.file.Path;

/// Where a guest's serial port leads, for tests alone: a guest may write to it without end.
///
/// @param input what the guest reads, a pipe that somebody holds open
/// @param output what it writes is appended to it
record Console(Path input, Path output) {}
