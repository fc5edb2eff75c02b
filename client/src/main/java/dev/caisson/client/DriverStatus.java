package dev.caisson.client;

/// A driver of the machine that runs the sandboxes, and whether it can be used there.
///
/// @param program what is behind it; for people
/// @param isolation what must be known of its wall, such as that it is emulated; usually empty
/// @param unfit why the machine cannot run it, or what is being found out; empty when it can
/// @param isBeingTried true while it is being found out whether it can
public record DriverStatus(String name, String tier, String program, String isolation, String unfit, boolean isBeingTried) {
    public boolean isFit() {
        return unfit.isEmpty();
    }

    /// True when it is no security boundary.
    public boolean isEmulated() {
        return !isolation.isEmpty();
    }

    static DriverStatus of(Json.Obj json) {
        return new DriverStatus(json.text("name"), json.text("tier"), json.text("program"), json.text("isolation", ""), json.bool("fit") ? "" : json.text("unfit"), json.bool("being_tried"));
    }
}
