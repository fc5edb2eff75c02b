package dev.caisson.image;

import dev.caisson.host.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Images mounted read-only, one directory each, named by the first 12 hex digits of the digest.
///
/// Threads: one at a time, see [ContentStore#lock].
final class ImageMounts {
    private static final int NAME_DIGITS = 12;

    private final Path root;

    ImageMounts(Path root) {
        this.root = root;
    }

    /// What the directory of an image is called.
    static String name(String digest) {
        return Digest.hex(digest).substring(0, NAME_DIGITS);
    }

    /// The directory of an image that is mounted from exactly this file; a file that has been replaced since is another file.
    Optional<Path> find(String digest, Path file) throws IOException {
        var directory = root.resolve(name(digest));
        return Mounts.imageAt(directory).filter(file::equals).map(_ -> directory);
    }

    Path mount(String digest, Path file) throws IOException {
        var directory = root.resolve(name(digest));
        Mounts.erofs(file, directory);
        return directory;
    }

    /// Names of what is mounted now.
    Set<String> mounted() throws IOException {
        var found = new HashSet<String>();
        for (var point : Mounts.below(root)) {
            found.add(point.getFileName().toString());
        }
        return found;
    }

    void unmountAll() throws IOException {
        for (var point : Mounts.below(root)) {
            Mounts.unmount(point);
        }
        if (Files.isDirectory(root)) {
            try (var directories = Files.list(root)) {
                for (var directory : List.copyOf(directories.toList())) {
                    Files.delete(directory);
                }
            }
        }
    }
}
