package dev.caisson.host;

import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/// Reading and writing one cgroup tree, the same in both versions.
final class CgroupFiles {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*");
    private static final Duration REMOVE_BOUND = Duration.ofSeconds(2);

    private CgroupFiles() {}

    /// The directory of a cgroup; refuses names that could leave the tree.
    static Path directory(Path root, String name) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("not a cgroup name: '" + Failure.shown(name) + "'");
        }
        return root.resolve(name);
    }

    static void make(Path directory) throws IOException {
        try {
            Files.createDirectory(directory);
        } catch (FileAlreadyExistsException _) {
            // The parent is shared; a cgroup of a crashed create gets its limits again.
        } catch (NoSuchFileException _) {
            var parent = directory.getParent();
            if (parent == null) {
                throw new IOException("no cgroup tree at " + directory);
            }
            make(parent);
            make(directory);
        } catch (FileSystemException e) {
            throw unwritable(directory, e);
        }
    }

    static void write(Path file, String value) throws IOException {
        try {
            Files.writeString(file, value, StandardOpenOption.WRITE);
        } catch (AccessDeniedException | NoSuchFileException e) {
            throw unwritable(file, e);
        } catch (IOException e) {
            throw new IOException("cannot write '" + value + "' to " + file + ": " + e.getMessage(), e);
        }
    }

    private static RuntimeException unwritable(Path file, IOException cause) {
        String why = switch (cause) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "not there, so this is no cgroup file system";
            case FileSystemException known when known.getReason() != null -> known.getReason();
            default -> cause.toString();
        };
        return Failure.Code.HOST_UNFIT.with("cannot write the cgroup at " + file + ": " + why,
                "run as root on a host (or in a container) whose cgroup filesystem is mounted read-write", cause);
    }

    static List<Integer> processes(Path directory) {
        var ids = new ArrayList<Integer>();
        text(directory.resolve("cgroup.procs")).lines().forEach(line -> ids.add(Integer.parseInt(line.strip())));
        return ids;
    }

    /// Empty when the file is not there (any more).
    static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.US_ASCII);
        } catch (IOException e) {
            return "";
        }
    }

    static long number(Path file) {
        var text = text(file).strip();
        return text.isEmpty() || text.equals("max") ? 0 : Long.parseLong(text);
    }

    /// The number behind `key` in a file of `key value` lines; 0 when there is none.
    static long keyed(Path file, String key) {
        String text = text(file);
        for (int from = 0; from < text.length(); ) {
            int end = text.indexOf('\n', from);
            int to = end < 0 ? text.length() : end;
            if (text.startsWith(key, from) && from + key.length() < to && text.charAt(from + key.length()) == ' ') {
                return Long.parseLong(text.substring(from + key.length() + 1, to).strip());
            }
            from = to + 1;
        }
        return 0;
    }

    static List<Path> below(Path directory) {
        try (var entries = Files.newDirectoryStream(directory, entry -> Files.isDirectory(entry))) {
            var found = new ArrayList<Path>();
            entries.forEach(found::add);
            return found;
        } catch (IOException e) {
            return List.of();
        }
    }

    /// Removes a cgroup if the kernel lets it go as it is.
    static void removeUnused(Path directory) {
        try {
            Files.deleteIfExists(directory);
        } catch (IOException e) {
            // In use: it stays.
        }
    }

    /// Removes a cgroup with those below it. A process that has just been killed keeps its cgroup busy for a moment: retried, at most 2 s.
    static void remove(Path directory) throws IOException {
        for (Path child : below(directory)) {
            remove(child);
        }
        var until = System.nanoTime() + REMOVE_BOUND.toNanos();
        while (true) {
            try {
                // Plain rmdir: a cgroup's files cannot be removed and need not be.
                Files.deleteIfExists(directory);
                return;
            } catch (FileSystemException e) {
                if (e instanceof DirectoryNotEmptyException || System.nanoTime() > until) {
                    throw new IOException("cannot remove cgroup " + directory + ": " + e.getMessage(), e);
                }
                Pause.of(Duration.ofMillis(1));
            }
        }
    }
}
