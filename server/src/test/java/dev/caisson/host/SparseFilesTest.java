package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SparseFilesTest {
    @TempDir
    private Path directory;

    /// Zeros that were written, zeros that are a hole, and an end within a block.
    @Test
    void compactMakesHolesOfZeros() throws Exception {
        var from = directory.resolve("from");
        byte[] noise = new byte[5000];
        new Random(1).nextBytes(noise);
        try (var file = new RandomAccessFile(from.toFile(), "rw")) {
            file.write(new byte[3 << 20]);
            file.write(noise);
            file.setLength(8 << 20);
            file.seek((9 << 20) + 100);
            file.write(noise);
        }
        var to = directory.resolve("to");
        SparseFiles.compact(from, to);

        assertThat(Files.mismatch(from, to)).isEqualTo(-1);
        var kept = new AtomicLong();
        SparseFiles.extents(to, Files.size(to), (_, length) -> kept.addAndGet(length));
        assertThat(kept.get()).isLessThan(64 * 1024);
        assertThatThrownBy(() -> SparseFiles.compact(from, to)).isInstanceOf(java.nio.file.FileAlreadyExistsException.class);
    }
}
