package dev.caisson.host;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.BasicFileAttributeView;

/// Removes directory trees whose content may be a stranger's: symbolic links are removed, never followed, and nothing mounted is entered.
final class Trees {
    // A guest may nest deeper than any stack; ours never do. Past it the tree stays and is reported as a leak.
    private static final int MAX_DEPTH = 256;

    private Trees() {}

    /// Removes a file, link or tree; harmless when absent.
    ///
    /// Errors: an [IOException] when something is still mounted below, before anything is removed.
    static void remove(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            Files.deleteIfExists(path);
            return;
        }
        var table = MountTable.read();
        var below = table.below(path);
        if (!below.isEmpty() || table.has(path)) {
            throw new IOException("not removing " + path + ": still mounted: " + (below.isEmpty() ? path : below.getFirst()));
        }
        try (var entries = Files.newDirectoryStream(path)) {
            empty(secure(entries), 0);
        } catch (NoSuchFileException | NotDirectoryException e) {
            // Changed under us: deleting what is there decides.
        }
        Files.deleteIfExists(path);
    }

    private static SecureDirectoryStream<Path> secure(DirectoryStream<Path> entries) throws IOException {
        if (entries instanceof SecureDirectoryStream<Path> secure) {
            return secure;
        }
        throw new IOException("this filesystem gives no descriptor-relative deletion");
    }

    private static void empty(SecureDirectoryStream<Path> directory, int depth) throws IOException {
        if (depth > MAX_DEPTH) {
            throw new IOException("nested deeper than " + MAX_DEPTH);
        }
        for (Path entry : directory) {
            var name = entry.getFileName();
            if (name == null) {
                continue;
            }
            var view = directory.getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
            if (!view.readAttributes().isDirectory()) {
                directory.deleteFile(name);
                continue;
            }
            try (var below = directory.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
                empty(secure(below), depth + 1);
            }
            directory.deleteDirectory(name);
        }
    }
}
