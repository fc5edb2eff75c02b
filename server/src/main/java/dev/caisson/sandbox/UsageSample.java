package dev.caisson.sandbox;

import java.time.Instant;

/// What a sandbox used around one moment, and what it may use.
///
/// @param cpuUsedPercent of one CPU, since the sample before; 200 means two whole CPUs
/// @param memoryCache the part of memory that is only cached files
public record UsageSample(Instant at, Cpus cpus, double cpuUsedPercent, ByteSize memoryUsed, ByteSize memoryTotal, ByteSize memoryCache, ByteSize diskUsed, ByteSize diskTotal) {}
