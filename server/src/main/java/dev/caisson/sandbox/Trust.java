package dev.caisson.sandbox;

import java.util.Locale;

/// What the caller says of the code it wants to run. It decides the weakest tier that may be used (the floor).
public enum Trust {
    /// Nobody has read it. The default.
    UNTRUSTED,
    /// Somebody has read it, but it is not ours.
    REVIEWED,
    /// As trusted as the operator's own programs; the only trust a shared kernel may run.
    TRUSTED;

    /// The weakest tier that code of this trust may ever run in, whatever the operator says. Where several tenants share a machine policy asks for more.
    public Tier floor() {
        return switch (this) {
            case UNTRUSTED, REVIEWED -> Tier.GVISOR;
            case TRUSTED -> Tier.CONTAINER;
        };
    }

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    public static Trust parse(String label) {
        for (Trust trust : values()) {
            if (trust.label().equals(label)) {
                return trust;
            }
        }
        throw Failure.Code.BAD_REQUEST.with("unknown trust '" + Failure.shown(label) + "'", "choose untrusted, reviewed or trusted");
    }
}
