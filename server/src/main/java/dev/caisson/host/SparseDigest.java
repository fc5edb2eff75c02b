package dev.caisson.host;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/// What a sparse file is, in 64 hex digits, found without reading its holes.
///
/// It is SHA-256 of the file's size, then of each 4,096-byte block that is not only zeros, in order: its offset and its bytes. Numbers are 8 bytes, most significant first; a
/// last block that is not whole counts as if filled up with zeros. So whether zeros are written or a hole makes no difference, and everything else does.
///
/// Threads: one at a time.
public final class SparseDigest {
    private static final ValueLayout.OfLong NUMBER = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);

    private final Sha256 sha = new Sha256();
    private final MemorySegment number = Arena.ofAuto().allocate(NUMBER);

    SparseDigest(long size) {
        number(size);
    }

    /// Digest of a file.
    public static String of(Path file) throws IOException {
        var digest = new SparseDigest(Files.size(file));
        SparseFiles.blocks(file, digest::add);
        return digest.finished();
    }

    /// Refuses a file that is not what it was.
    ///
    /// Errors: [ChangedFileException].
    public static void require(Path file, String expected) throws IOException {
        require(file, of(file), expected);
    }

    static void require(Path file, String found, String expected) throws ChangedFileException {
        if (!found.equals(expected)) {
            throw new ChangedFileException(file, found, expected);
        }
    }

    /// The next blocks; see [SparseFiles.Blocks].
    void add(long offset, MemorySegment bytes) {
        for (long at = 0; at < bytes.byteSize(); at += SparseFiles.BLOCK) {
            number(offset + at);
            sha.add(bytes.asSlice(at, SparseFiles.BLOCK));
        }
    }

    private void number(long value) {
        number.set(NUMBER, 0, value);
        sha.add(number);
    }

    String finished() {
        return HexFormat.of().formatHex(sha.finish());
    }
}
