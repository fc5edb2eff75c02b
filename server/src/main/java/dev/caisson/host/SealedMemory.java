package dev.caisson.host;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.ref.Cleaner;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/// Bytes in memory that nobody can change any more, not even we: a memfd with all seals.
///
/// Everybody who is given a descriptor of it may open that again for reading and writing, as VMMs do before they map it privately; the seals refuse every write.
///
/// Cleanup: its descriptor is closed when nobody holds this object any more, not before: its number would be another file's while somebody opens [#path]. Whoever has mapped
/// it keeps what it has.
public final class SealedMemory {
    private static final Cleaner CLEANER = Cleaner.create(task -> Thread.ofPlatform().name("sealed-memory").daemon().unstarted(task));

    private final int descriptor;
    private final long bytes;

    private SealedMemory(int descriptor, long bytes) {
        this.descriptor = descriptor;
        this.bytes = bytes;
        CLEANER.register(this, () -> NativeLinux.close(descriptor));
    }

    /// Loads a file: its blocks that are not zeros, the rest stays a hole that takes no memory.
    ///
    /// Errors: [ChangedFileException] when what was read is not what `digest` says; nothing is left then.
    ///
    /// @param digest the file's [SparseDigest]
    public static SealedMemory load(Path file, String digest) throws IOException {
        String name = "caisson-" + file.getFileName();
        long size = Files.size(file);
        if (size == 0 || size % SparseFiles.BLOCK != 0) {
            throw new IOException(file + " is no memory of a machine: it has " + size + " bytes, not a multiple of " + SparseFiles.BLOCK);
        }
        int descriptor = NativeMemory.create(name);
        try {
            fill(Path.of("/proc/self/fd/" + descriptor), file, size, digest);
            NativeMemory.seal(descriptor, name);
        } catch (IOException | RuntimeException | Error e) {
            NativeLinux.close(descriptor);
            throw e;
        }
        return new SealedMemory(descriptor, size);
    }

    /// What is hashed is what is written, so a file that changes meanwhile is found out too.
    private static void fill(Path memory, Path file, long size, String digest) throws IOException {
        Files.setPosixFilePermissions(memory, PosixFilePermissions.fromString("rw-rw-rw-"));
        var read = new SparseDigest(size);
        try (var into = new RandomAccessFile(memory.toFile(), "rw")) {
            into.setLength(size);
            var channel = into.getChannel();
            SparseFiles.blocks(file, (offset, blocks) -> {
                read.add(offset, blocks);
                SparseFiles.write(channel, blocks.asByteBuffer(), offset);
            });
            if (channel.size() != size) {
                throw new IOException(file + " grew while it was read");
            }
        }
        SparseDigest.require(file, read.finished(), digest);
    }

    /// Where a process of root's can open it, while this process lives.
    public Path path() {
        return Path.of("/proc/" + ProcessHandle.current().pid() + "/fd/" + descriptor);
    }

    /// Unit: bytes.
    public long bytes() {
        return bytes;
    }
}
