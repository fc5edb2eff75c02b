package dev.caisson.sandbox;

/// What one sandbox may take. Every bound is hard and enforced from outside the guest.
///
/// @param cpus CPU quota; a busy loop gets this much and no more
/// @param memory resident memory of the guest, its kernel included; above it the sandbox (gVisor) or the process (container) is killed
/// @param processes processes and threads of one user inside; one more fails with EAGAIN
/// @param disk bytes that may be written to the root filesystem; one more fails with ENOSPC
/// @param openFiles open descriptors of one process; one more fails with EMFILE
public record Limits(Cpus cpus, ByteSize memory, int processes, ByteSize disk, int openFiles) {
    public static final ByteSize MIN_MEMORY = ByteSize.mib(64);
    public static final ByteSize MAX_MEMORY = ByteSize.gib(512);
    public static final ByteSize MIN_DISK = ByteSize.mib(16);
    public static final ByteSize MAX_DISK = ByteSize.gib(1024);

    /// Last of the constants: its own check needs the ones above.
    public static final Limits DEFAULT = new Limits(new Cpus(1000), ByteSize.mib(512), 256, ByteSize.gib(1), 4096);

    public Limits {
        inRange("memory", memory, MIN_MEMORY, MAX_MEMORY);
        inRange("disk", disk, MIN_DISK, MAX_DISK);
        inRange("processes", processes, 8, 32_768);
        inRange("open files", openFiles, 64, 1_048_576);
    }

    private static void inRange(String what, ByteSize value, ByteSize min, ByteSize max) {
        if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
            throw Failure.Code.OUT_OF_RANGE.with(what + " must be " + min + " to " + max + ", got " + value, "ask for an amount in that range");
        }
    }

    private static void inRange(String what, int value, int min, int max) {
        if (value < min || value > max) {
            throw Failure.Code.OUT_OF_RANGE.with(what + " must be " + min + " to " + max + ", got " + value, "ask for a number in that range");
        }
    }
}
