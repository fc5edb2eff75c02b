package dev.caisson.host;

import dev.caisson.sandbox.ByteSize;

/// What all processes of one cgroup together may take.
///
/// @param cpuMillis CPU time per second of wall time; unit: thousandths of one CPU, 10 at least
/// @param memory resident memory and page cache; swap is not given on top
/// @param pids processes and threads
public record CgroupLimits(int cpuMillis, ByteSize memory, int pids) {}
