package dev.caisson.runtime.microvm;

/// How fast the devices of a machine may be, so that one cannot take all of the host's.
///
/// @param diskBytesPerSecond reads and writes together, of each block device
/// @param diskOperationsPerSecond the same
/// @param networkBytesPerSecond in each direction
public record DeviceRates(long diskBytesPerSecond, long diskOperationsPerSecond, long networkBytesPerSecond) {
    public static final DeviceRates DEFAULT = new DeviceRates(1L << 30, 50_000, 125_000_000);
}
