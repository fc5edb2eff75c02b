package dev.caisson.sandbox;

/// One driver of a node, and whether its machine can run it.
///
/// @param program what is behind it, such as `runsc`; for people
/// @param unfit why this machine cannot run it, and what to do, or what is being found out; empty when it can
/// @param isBeingTried true while it is being found out whether it can
public record DriverInfo(DriverName name, String program, String unfit, boolean isBeingTried) {
    public boolean isFit() {
        return unfit.isEmpty();
    }

    /// One that the machine can run.
    public static DriverInfo fit(DriverName name, String program) {
        return new DriverInfo(name, program, "", false);
    }

    /// One that it cannot.
    public static DriverInfo unfit(DriverName name, String program, String why) {
        return new DriverInfo(name, program, why, false);
    }

    /// One of which that is not known yet.
    public static DriverInfo beingTried(DriverName name, String program, String what) {
        return new DriverInfo(name, program, what, true);
    }
}
