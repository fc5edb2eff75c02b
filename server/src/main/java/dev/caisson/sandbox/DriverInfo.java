package dev.caisson.sandbox;

/// One driver of a node, and whether its machine can run it.
///
/// @param program what is behind it, such as `runsc`; for people
/// @param unfit why this machine cannot run it, and what to do; empty when it can
public record DriverInfo(DriverName name, String program, String unfit) {
    public boolean isFit() {
        return unfit.isEmpty();
    }

    /// One that the machine can run.
    public static DriverInfo fit(DriverName name, String program) {
        return new DriverInfo(name, program, "");
    }
}
