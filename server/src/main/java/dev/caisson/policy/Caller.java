package dev.caisson.policy;

/// Whoever a valid key says is calling.
///
/// @param key the id of the key, or [#LOCAL]'s
/// @param tenant whose sandboxes it sees; empty means all of them
public record Caller(String key, String tenant) {
    /// The command line on the machine itself, with the key that was made for this one run of the front.
    public static final Caller LOCAL = new Caller("local", "");

    /// True for whoever runs the installation.
    public boolean seesAll() {
        return tenant.isEmpty();
    }

    boolean mayManage(ApiKey other) {
        return seesAll() || tenant.equals(other.tenant());
    }
}
