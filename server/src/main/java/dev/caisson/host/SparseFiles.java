package dev.caisson.host;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;

/// Files that are mostly holes: only what is in them is read, and copies have the same holes.
public final class SparseFiles {
    /// Bytes of a block, the smallest thing that is a hole or not.
    static final int BLOCK = 4096;
    private static final int CHUNK = 1 << 20;
    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[BLOCK]);

    private SparseFiles() {}

    /// A part of a file that the file system keeps something for.
    @FunctionalInterface
    interface Extents {
        void extent(long offset, long length) throws IOException;
    }

    /// Blocks of a file, none of which is only zeros. The last is filled up with zeros where the file ends in it.
    @FunctionalInterface
    interface Blocks {
        /// @param offset of the first, a multiple of [#BLOCK]
        /// @param bytes whole blocks; only good until this returns
        void blocks(long offset, MemorySegment bytes) throws IOException;
    }

    /// Makes `to`, which must not exist, a copy of `from` that only its owner can read.
    public static void copy(Path from, Path to) throws IOException {
        Files.createFile(to, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try (var in = FileChannel.open(from, StandardOpenOption.READ);
                var file = new RandomAccessFile(to.toFile(), "rw")) {
            file.setLength(in.size());
            var out = file.getChannel();
            extents(from, in.size(), (offset, length) -> {
                out.position(offset);
                for (long done = 0; done < length;) {
                    // Within the kernel, where both are files.
                    long moved = in.transferTo(offset + done, length - done, out);
                    if (moved == 0) {
                        throw new IOException(from + " became shorter while it was copied");
                    }
                    done += moved;
                }
            });
        }
    }

    /// The same, but what is only zeros in `from` is a hole in the copy, whether it is one in `from` or not.
    public static void compact(Path from, Path to) throws IOException {
        Files.createFile(to, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try (var file = new RandomAccessFile(to.toFile(), "rw")) {
            file.setLength(Files.size(from));
            var out = file.getChannel();
            blocks(from, (offset, blocks) -> write(out, blocks.asByteBuffer().limit((int) Math.min(blocks.byteSize(), file.length() - offset)), offset));
        }
    }

    /// Tells of what is not a hole, in order.
    static void extents(Path file, long size, Extents visitor) throws IOException {
        int fd = NativeLinux.open(file.toString(), NativeLinux.O_RDONLY);
        try {
            for (long at = nextData(fd, file, 0); at < size; at = nextData(fd, file, at)) {
                long end = Math.min(size, NativeLinux.lseek(fd, file.toString(), at, NativeLinux.SEEK_HOLE));
                visitor.extent(at, end - at);
                at = end;
            }
        } finally {
            NativeLinux.close(fd);
        }
    }

    private static long nextData(int fd, Path file, long from) throws IOException {
        try {
            return NativeLinux.lseek(fd, file.toString(), from, NativeLinux.SEEK_DATA);
        } catch (NativeException e) {
            if (e.errno() == Errno.ENXIO) {
                return Long.MAX_VALUE;
            }
            throw e;
        }
    }

    /// Tells of every block that is not only zeros, in order, whether the file system knows of the others or not.
    static void blocks(Path file, Blocks visitor) throws IOException {
        try (var in = FileChannel.open(file, StandardOpenOption.READ);
                var arena = Arena.ofConfined()) {
            var reader = new Reader(file, in, arena.allocate(CHUNK, BLOCK), visitor);
            extents(file, in.size(), reader::read);
        }
    }

    private static final class Reader {
        private final Path file;
        private final FileChannel in;
        private final MemorySegment chunk;
        private final Blocks visitor;
        // Where the last extent ended, in whole blocks: two extents may share one.
        private long seen;

        Reader(Path file, FileChannel in, MemorySegment chunk, Blocks visitor) {
            this.file = file;
            this.in = in;
            this.chunk = chunk;
            this.visitor = visitor;
        }

        void read(long offset, long length) throws IOException {
            long end = offset + length;
            for (long at = Math.max(seen, offset / BLOCK * BLOCK); at < end;) {
                long wanted = Math.min(CHUNK, (end - at + BLOCK - 1) / BLOCK * BLOCK);
                fill(at, (int) wanted);
                tell(at, wanted);
                at += wanted;
                seen = at;
            }
        }

        private void fill(long at, int wanted) throws IOException {
            var bytes = chunk.asSlice(0, wanted).asByteBuffer();
            while (bytes.hasRemaining() && in.read(bytes, at + bytes.position()) > 0) {
                // Until there is enough or the file is over.
            }
            if (at + bytes.position() < Math.min(at + wanted, in.size())) {
                throw new IOException("cannot read " + file + " at " + (at + bytes.position()));
            }
            chunk.asSlice(bytes.position(), bytes.remaining()).fill((byte) 0);
        }

        private void tell(long offset, long length) throws IOException {
            for (long at = 0; at < length;) {
                long from = at;
                while (at < length && !isZero(at)) {
                    at += BLOCK;
                }
                if (at > from) {
                    visitor.blocks(offset + from, chunk.asSlice(from, at - from));
                } else {
                    at += BLOCK;
                }
            }
        }

        private boolean isZero(long at) {
            return MemorySegment.mismatch(chunk, at, at + BLOCK, ZEROS, 0, BLOCK) < 0;
        }
    }

    static void write(FileChannel channel, ByteBuffer bytes, long offset) throws IOException {
        while (bytes.hasRemaining()) {
            offset += channel.write(bytes, offset);
        }
    }
}
