package dev.caisson.runtime.firecracker;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A file that a Firecracker which has ended left in its jail: its user may have put anything there instead.
///
/// @param user whose file it must be
record FrozenFile(Path path, int user) {
    private static final int PAGE = 4096;
    private static final int CHUNK = 1 << 20;
    private static final byte[] ZEROS = new byte[PAGE];

    /// Refuses anything but a regular file of that user with so many bytes.
    void require(long least, long most) throws IOException {
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
    }

    /// Copies it to a new file of ours in which pages of zeros are holes. Firecracker writes every page, and the guest never used most of them.
    void copyTo(Path copy) throws IOException {
        try (var in = FileChannel.open(path, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
                var out = FileChannel.open(copy, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            long size = in.size();
            var chunk = ByteBuffer.allocateDirect(CHUNK);
            for (long at = 0; at < size; at += CHUNK) {
                chunk.clear();
                while (chunk.hasRemaining() && in.read(chunk, at + chunk.position()) > 0) {
                    // Until the chunk is full or the file is over.
                }
                writePages(out, chunk.flip(), at);
            }
            if (out.size() < size) {
                out.write(ByteBuffer.allocate(1), size - 1);
            }
        }
    }

    private static void writePages(FileChannel out, ByteBuffer chunk, long at) throws IOException {
        var zeros = ByteBuffer.wrap(ZEROS);
        int length = chunk.limit();
        int from = 0;
        while (from < length) {
            int to = from;
            while (to < length && chunk.slice(to, Math.min(PAGE, length - to)).mismatch(zeros.slice(0, Math.min(PAGE, length - to))) >= 0) {
                to = Math.min(to + PAGE, length);
            }
            var run = chunk.slice(from, to - from);
            for (long position = at + from; run.hasRemaining(); ) {
                position += out.write(run, position);
            }
            from = Math.min(to == length ? to : to + PAGE, length);
        }
    }
}
