package dev.caisson.client;

/// What you say of the code; it decides the weakest tier that may be used.
public enum Trust {
    /// Nobody has read it. The default.
    UNTRUSTED,
    /// Somebody has read it, but it is not yours.
    REVIEWED,
    /// As trusted as your own programs.
    TRUSTED;

    public String label() {
        return Words.label(this);
    }
}
