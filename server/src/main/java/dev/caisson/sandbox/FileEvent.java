package dev.caisson.sandbox;

/// A change under a watched directory.
///
/// @param path relative to the watched directory
public record FileEvent(Kind kind, String path) {
    public enum Kind {
        CREATED,
        WRITTEN,
        REMOVED,
        RENAMED,
        /// Permissions, owner or times.
        ATTRIBUTES,
        /// Events were lost because nobody took them in time; look again.
        OVERFLOW
    }
}
