package dev.caisson.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/// A file to carry into the sandbox (`LOCAL[:REMOTE]`) or out of it (`REMOTE[:LOCAL]`).
///
/// @param remote absolute, or relative to the command's working directory
record LocalFile(Path local, String remote) {
    /// Reads `LOCAL[:REMOTE]`. A file whose name has a colon is taken whole when it is there.
    static LocalFile in(String text) {
        int colon = text.lastIndexOf(':');
        if (colon < 0 || Files.exists(path(text))) {
            var local = path(text);
            check(local);
            return new LocalFile(local, String.valueOf(local.getFileName()));
        }
        var local = path(text.substring(0, colon));
        check(local);
        String remote = text.substring(colon + 1);
        if (remote.isEmpty()) {
            throw new CliException("--file " + text + " names no file in the sandbox", "write --file LOCAL:REMOTE, or --file LOCAL alone");
        }
        return new LocalFile(local, remote.endsWith("/") ? remote + local.getFileName() : remote);
    }

    /// Reads `REMOTE[:LOCAL]`; without LOCAL the file comes into the current directory. Nothing is written before its directory is known to be there.
    static LocalFile out(String text) {
        int colon = text.lastIndexOf(':');
        String remote = colon < 0 ? text : text.substring(0, colon);
        String name = remote.substring(remote.lastIndexOf('/') + 1);
        if (name.isEmpty() || name.equals(".") || name.equals("..")) {
            throw new CliException("--get " + text + " names no file", "name one file of the sandbox, such as --get out/result.json");
        }
        var local = path(colon < 0 || colon == text.length() - 1 ? name : text.substring(colon + 1));
        if (Files.isDirectory(local)) {
            local = local.resolve(name);
        }
        var parent = local.toAbsolutePath().getParent();
        if (parent == null || !Files.isDirectory(parent)) {
            throw new CliException("there is no directory " + parent + " for --get " + text, "make it first");
        }
        if (Files.isDirectory(local)) {
            throw new CliException(local + " is a directory", "name a file for --get " + text);
        }
        if (!Files.isWritable(Files.exists(local) ? local : parent)) {
            throw new CliException("may not write " + local + " for --get " + text, "choose another place");
        }
        return new LocalFile(local, remote);
    }

    /// Errors: a [CliException] for a name that this process cannot spell.
    static Path path(String text) {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new CliException("not a file name: '" + text + "'", "names have no NUL, and this terminal's locale must be able to spell them (try LC_ALL=C.UTF-8)", e);
        }
    }

    /// Refuses what cannot be sent.
    static void check(Path file) {
        if (!Files.exists(file)) {
            throw new CliException("there is no file " + file, "check the name; a command of the sandbox's own is run with `caisson run -- COMMAND`");
        }
        if (Files.isDirectory(file)) {
            throw new CliException(file + " is a directory", "name a file; pack a directory with tar and send that");
        }
        if (!Files.isRegularFile(file)) {
            throw new CliException(file + " is not a regular file", "send it through standard input instead");
        }
        if (!Files.isReadable(file)) {
            throw new CliException("may not read " + file, "make it readable");
        }
    }

    long size() {
        try {
            return Files.size(local);
        } catch (IOException e) {
            throw new CliException("cannot read " + local + ": " + e.getMessage(), "check that it is still there", e);
        }
    }
}
