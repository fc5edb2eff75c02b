package dev.caisson.sandbox;

import java.util.Locale;

/// One thing of the host's kernel that a sandbox holds or may hold: enough to find it, release it and check that it is gone.
public record Resource(ResourceKind kind, String name) {
    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT).replace('_', '-') + " " + name;
    }
}
