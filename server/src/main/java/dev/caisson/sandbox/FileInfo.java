package dev.caisson.sandbox;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/// A file of a sandbox, as the guest tells it.
///
/// @param name last part of the path; bytes that are not UTF-8 are shown as U+FFFD
/// @param path where it was found, in the same spelling
/// @param rawName base64 of the name's bytes when they are not UTF-8, otherwise empty
/// @param size bytes; 0 for anything but a file
/// @param mode permission bits, lowest 12
/// @param linkTarget what a symbolic link says; otherwise empty
/// @param target where a symbolic link leads in the end; empty when there is nothing, or nothing that the user may see
/// @param metadata what a file was written with; see [Files#write]
public record FileInfo(
        String name,
        String path,
        String rawName,
        Kind kind,
        long size,
        int mode,
        String owner,
        String group,
        Instant modified,
        String linkTarget,
        Optional<Target> target,
        Map<String, String> metadata) {
    public FileInfo {
        metadata = Map.copyOf(metadata);
    }

    /// The other end of a symbolic link.
    ///
    /// @param path absolute, without a link in it
    /// @param kind never [Kind#SYMLINK]
    /// @param mode permission bits, lowest 12
    public record Target(String path, Kind kind, long size, int mode) {}

    public enum Kind {
        FILE,
        DIRECTORY,
        SYMLINK,
        OTHER
    }
}
