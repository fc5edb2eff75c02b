package dev.caisson.runtime.firecracker;

import dev.caisson.host.SparseFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/// A file that a Firecracker which has ended left in its jail: its user may have put anything there instead.
///
/// @param user whose file it must be
/// @param least bytes that it must have
/// @param most bytes that it may have
record FrozenFile(Path path, int user, long least, long most) {
    /// Puts it where it is wanted, as a file of root's alone, and takes it out of the jail. A copy, since Firecracker writes every page of a memory of which its guest
    /// never used most; the copy has holes there.
    ///
    /// Errors: an [IOException] when it is not a regular file of that user and size.
    void moveTo(Path place) throws IOException {
        if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException("Firecracker left no file " + path.getFileName());
        }
        if ((int) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS) != user) {
            throw new IOException("Firecracker left a file of somebody else's as " + path.getFileName());
        }
        long size = Files.size(path);
        if (size < least || size > most) {
            throw new IOException("Firecracker left " + size + " bytes as " + path.getFileName() + ", not " + least + (least == most ? "" : " to " + most));
        }
        SparseFiles.compact(path, place);
        Files.delete(path);
    }
}
