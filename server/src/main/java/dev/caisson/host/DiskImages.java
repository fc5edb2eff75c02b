package dev.caisson.host;

import dev.caisson.sandbox.ByteSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;

/// Makes sparse ext4 image files in which exactly the bytes asked for can be written.
///
/// A size is formatted once; what mkfs wrote (a few dozen blocks) is kept, and later images are those blocks written into a hole.
///
/// @param cache directory for what is kept, one file per size
public record DiskImages(Path cache) {
    /// What an overlay keeps on a disk beside files: its two directories and their bookkeeping.
    public static final ByteSize OVERLAY_SHARE = ByteSize.kib(64);

    private static final int BLOCK = SparseFiles.BLOCK;
    // What is kept: a header (bytes of the image), then per block its offset and its 4,096 bytes.
    private static final int RECORD = Long.BYTES + BLOCK;
    private static final int MAX_ROUNDS = 8;

    /// Makes `image`, which must not exist, with `usable` bytes free for files, rounded up to 4 KiB; at most 1 % more.
    public void create(Path image, ByteSize usable) throws IOException, InterruptedException {
        var kept = cache.resolve("ext4-" + usable.bytes() + ".blocks");
        if (!Files.exists(kept)) {
            keep(usable, kept);
        }
        var blocks = ByteBuffer.wrap(Files.readAllBytes(kept));
        long length = blocks.getLong();
        try (var channel = FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            while (blocks.remaining() >= RECORD) {
                long offset = blocks.getLong();
                var block = blocks.slice(blocks.position(), BLOCK);
                blocks.position(blocks.position() + BLOCK);
                SparseFiles.write(channel, block, offset);
            }
            if (channel.size() < length) {
                SparseFiles.write(channel, ByteBuffer.allocate(1), length - 1);
            }
        }
    }

    private void keep(ByteSize usable, Path kept) throws IOException, InterruptedException {
        Files.createDirectories(cache);
        var scratch = Files.createTempDirectory(cache, "format");
        try {
            var image = scratch.resolve("image");
            format(image, usable, scratch.resolve("mkfs.log"));
            var compact = scratch.resolve("blocks");
            compact(image, compact);
            Files.move(compact, kept, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Trees.remove(scratch);
        }
    }

    /// ext4's own tables take a share that depends on the size: format, look, and grow by what is missing.
    private static void format(Path image, ByteSize usable, Path log) throws IOException, InterruptedException {
        long wanted = (usable.bytes() + BLOCK - 1) / BLOCK;
        long blocks = wanted + wanted / 32 + 64;
        for (int round = 0; round < MAX_ROUNDS; round++) {
            Files.deleteIfExists(image);
            try (var channel = FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                SparseFiles.write(channel, ByteBuffer.allocate(1), blocks * BLOCK - 1);
            }
            // No journal (the disk dies with its sandbox), nothing reserved for root, an inode per 8 KiB, no zeroing of holes.
            Child.of(log, "mkfs.ext4", "-q", "-F", "-b", Integer.toString(BLOCK), "-m", "0", "-i", "8192", "-I", "256",
                    "-O", "^has_journal,^resize_inode,^metadata_csum", "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", image.toString())
                    .mustRun(Duration.ofSeconds(60));
            long free = freeBlocks(image);
            if (free >= wanted && free - wanted <= Math.max(wanted / 100, 16)) {
                return;
            }
            blocks += wanted - free;
        }
        throw new IOException("cannot format a disk of exactly " + usable);
    }

    /// From the superblock at byte 1,024: s_free_blocks_count_lo at 0x0C, _hi at 0x158 (kernel's ext4 documentation, "Super Block").
    private static long freeBlocks(Path image) throws IOException {
        var superblock = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN);
        try (var channel = FileChannel.open(image, StandardOpenOption.READ)) {
            if (channel.read(superblock, 1024) != 1024) {
                throw new IOException("no superblock in " + image);
            }
        }
        // A new ext4 reserves for delayed allocation: min(2 % of its clusters, 4,096), which nobody can write to.
        long total = Integer.toUnsignedLong(superblock.getInt(0x04));
        long free = Integer.toUnsignedLong(superblock.getInt(0x0C)) | (superblock.getInt(0x158) & 0xffffL) << 32;
        return free - Math.min(total / 50, 4096);
    }

    private static void compact(Path image, Path compact) throws IOException {
        try (var out = FileChannel.open(compact, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            out.write(ByteBuffer.allocate(Long.BYTES).putLong(Files.size(image)).flip());
            SparseFiles.blocks(image, (offset, blocks) -> {
                for (long at = 0; at < blocks.byteSize(); at += BLOCK) {
                    out.write(new ByteBuffer[] {ByteBuffer.allocate(Long.BYTES).putLong(offset + at).flip(), blocks.asSlice(at, BLOCK).asByteBuffer()});
                }
            });
        }
    }
}
