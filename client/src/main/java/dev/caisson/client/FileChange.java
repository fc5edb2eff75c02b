package dev.caisson.client;

/// A change under a watched directory.
///
/// @param kind `created`, `written`, `removed`, `renamed`, `attributes` or `overflow` (some were lost: look again)
/// @param path relative to the watched directory
public record FileChange(String kind, String path) {}
