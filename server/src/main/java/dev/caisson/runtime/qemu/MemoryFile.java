package dev.caisson.runtime.qemu;

import dev.caisson.host.SparseFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/// The memory of a machine that is to be frozen, as a file of its user's in a directory that he cannot change.
record MemoryFile(Path path) {
    /// Makes it, all zeros.
    void create(long bytes, int user) throws IOException {
        Files.createFile(path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try (var file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(bytes);
        }
        Files.setAttribute(path, "unix:gid", user);
        Files.setAttribute(path, "unix:uid", user);
    }

    /// Moves what is in it, when nobody writes to it any more, into a new file of ours.
    ///
    /// Errors: an [IOException] when it is not `bytes` long any more: its user could have changed that.
    void moveTo(Path target, long bytes) throws IOException {
        if (Files.size(path) != bytes) {
            throw new IOException("the machine's memory is " + Files.size(path) + " bytes, not " + bytes);
        }
        SparseFiles.compact(path, target);
        Files.delete(path);
    }
}
