package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Memory of a machine, from a sparse file to what a VMM of another user has of it.
@Timeout(value = 1, unit = TimeUnit.MINUTES)
class SealedMemoryTest {
    private static final int MIB = 1 << 20;
    private static final Path PROGRAM = Path.of("src/test/resources/dev/caisson/host/stranger.py");
    private static final int STRANGER = 0x3000_0000;

    @TempDir Path directory;
    private Path file;

    @BeforeEach
    void write() throws IOException {
        file = directory.resolve("memory");
        try (var memory = new RandomAccessFile(file.toFile(), "rw")) {
            memory.setLength(64L * MIB);
            byte[] bytes = new byte[3 * MIB / 2];
            new Random(1).nextBytes(bytes);
            memory.seek(5 * MIB + 4096);
            memory.write(bytes);
            memory.seek(64L * MIB - 1);
            memory.write(7);
        }
    }

    private static long bytesTaken(Path of) throws IOException {
        var taken = new AtomicLong();
        SparseFiles.extents(of, Files.size(of), (_, length) -> taken.addAndGet(length));
        return taken.get();
    }

    private static void change(Path of, long at, int value) throws IOException {
        try (var memory = new RandomAccessFile(of.toFile(), "rw")) {
            memory.seek(at);
            memory.write(value);
        }
    }

    private static boolean isOpen(String name) throws IOException {
        try (var all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path one : all) {
                if (Files.isSymbolicLink(one) && Files.readSymbolicLink(one).toString().contains(name)) {
                    return true;
                }
            }
        }
        return false;
    }

    @Test
    void whatIsLoadedIsTheFileWithItsHoles() throws IOException {
        var memory = SealedMemory.load(file, SparseDigest.of(file));
        assertThat(Files.mismatch(file, memory.path())).isEqualTo(-1);
        assertThat(memory.bytes()).isEqualTo(64L * MIB);
        assertThat(bytesTaken(memory.path())).isEqualTo(3 * MIB / 2 + 4096);
        assertThat(SparseDigest.of(memory.path())).isEqualTo(SparseDigest.of(file));
        Reference.reachabilityFence(memory);
    }

    @Test
    void itGoesWithItsLastHolder() throws Exception {
        assertThat(bytesTaken(SealedMemory.load(file, SparseDigest.of(file)).path())).isPositive();
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (isOpen("memfd:caisson-memory") && System.nanoTime() < until) {
            System.gc();
            Thread.sleep(10);
        }
        assertThat(isOpen("memfd:caisson-memory")).isFalse();
    }

    @Test
    void notEvenItsMakerCanChangeIt() throws IOException {
        var memory = SealedMemory.load(file, SparseDigest.of(file));
        for (long at : new long[] {0, 64L * MIB - 1, 64L * MIB}) {
            assertThatThrownBy(() -> change(memory.path(), at, 1)).isInstanceOf(IOException.class).hasMessageContaining("not permitted");
        }
        assertThatThrownBy(() -> Files.newByteChannel(memory.path(), StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING).close()).isInstanceOf(IOException.class);
        assertThat(Files.mismatch(file, memory.path())).isEqualTo(-1);
        Reference.reachabilityFence(memory);
    }

    @Test
    void aFileThatChangedInOneByteIsRefusedAndNothingIsLeft() throws IOException {
        String digest = SparseDigest.of(file);
        // In data, in a hole, at the end.
        for (long at : new long[] {6 * MIB, 40 * MIB + 17, 64L * MIB - 2}) {
            var other = directory.resolve("other" + at);
            SparseFiles.copy(file, other);
            change(other, at, 0xa5);
            assertThatThrownBy(() -> SealedMemory.load(other, digest)).isInstanceOf(ChangedFileException.class).hasMessageContaining("made again").hasMessageContaining(digest);
            assertThat(isOpen("memfd:caisson-other")).isFalse();
        }
        var longer = directory.resolve("longer");
        SparseFiles.copy(file, longer);
        try (var end = new RandomAccessFile(longer.toFile(), "rw")) {
            end.setLength(65L * MIB);
        }
        assertThatThrownBy(() -> SealedMemory.load(longer, digest)).isInstanceOf(ChangedFileException.class);
        assertThatThrownBy(() -> SealedMemory.load(Files.write(directory.resolve("odd"), new byte[4097]), digest)).hasMessageContaining("4097 bytes");
        assertThatThrownBy(() -> SealedMemory.load(Files.createFile(directory.resolve("none")), digest)).hasMessageContaining("0 bytes");
    }

    @Test
    void digestTellsWhereBytesAreAndNotWhetherZerosAreWritten() throws IOException {
        var zeros = Files.write(directory.resolve("zeros"), new byte[2 * MIB]);
        var hole = directory.resolve("hole");
        try (var all = new RandomAccessFile(hole.toFile(), "rw")) {
            all.setLength(2 * MIB);
        }
        assertThat(SparseDigest.of(zeros)).isEqualTo(SparseDigest.of(hole)).isNotEqualTo(SparseDigest.of(Files.write(directory.resolve("short"), new byte[MIB])));
        change(zeros, 8192, 1);
        change(hole, 4096, 1);
        assertThat(SparseDigest.of(zeros)).isNotEqualTo(SparseDigest.of(hole));
        // Of what it is made, so that others can check: the size, then where and what.
        assertThat(SparseDigest.of(Files.write(directory.resolve("text"), "caisson".getBytes(StandardCharsets.US_ASCII))))
                .isEqualTo("b292b5975fc5111577785f1f122c10ad74ada354b68492147af3f2a5e90eda7b");
    }

    @Test
    void aCopyHasTheSameBytesAndHoles() throws IOException {
        var copy = directory.resolve("copy");
        SparseFiles.copy(file, copy);
        assertThat(Files.mismatch(file, copy)).isEqualTo(-1);
        assertThat(bytesTaken(copy)).isLessThanOrEqualTo(2 * MIB);
        assertThat(Files.getPosixFilePermissions(copy)).hasToString("[OWNER_READ, OWNER_WRITE]");
        assertThatThrownBy(() -> SparseFiles.copy(file, copy)).isInstanceOf(FileAlreadyExistsException.class);
        change(copy, 3, 1);
        assertThat(Files.mismatch(file, copy)).isEqualTo(3);
    }

    /// Unit of what is logged: ms. The bound is far above what is measured alone, so that a busy machine does not fail.
    @Test
    void aGuestOf256MibIsLoadedQuickly() throws IOException {
        try (var memory = new RandomAccessFile(file.toFile(), "rw")) {
            memory.setLength(256L * MIB);
            byte[] bytes = new byte[64 << 10];
            var random = new Random(2);
            for (int i = 0; i < 70 * MIB / bytes.length; i++) {
                random.nextBytes(bytes);
                memory.seek(3L * i * bytes.length);
                memory.write(bytes);
            }
        }
        String digest = SparseDigest.of(file);
        long best = Long.MAX_VALUE;
        for (int i = 0; i < 8; i++) {
            long start = System.nanoTime();
            SealedMemory.load(file, digest);
            best = Math.min(best, System.nanoTime() - start);
        }
        long start = System.nanoTime();
        SparseFiles.copy(file, directory.resolve("copy"));
        System.getLogger(SealedMemoryTest.class.getName()).log(System.Logger.Level.INFO,
                "70 MiB of 256 loaded, hashed and sealed in " + best / 1_000_000 + " ms, copied in " + (System.nanoTime() - start) / 1_000_000 + " ms");
        assertThat(best).isLessThan(TimeUnit.MILLISECONDS.toNanos(700));
    }

    /// As a VMM has it: another user, who opens what he was given for reading and writing and maps that privately.
    @Test
    void aStrangerWhoIsGivenItMapsItForHimselfAndChangesNothing() throws Exception {
        assumeThat(HostFacts.runningAsRoot()).as("skipped: needs root").isTrue();
        var memory = SealedMemory.load(file, SparseDigest.of(file));
        var process = new ProcessBuilder("sh", "-c", "exec 9<" + memory.path() + " && exec setpriv --reuid=$0 --regid=$0 --clear-groups --no-new-privs --bounding-set=-all /usr/bin/python3 $1",
                Integer.toString(STRANGER), PROGRAM.toAbsolutePath().toString()).redirectErrorStream(true).start();
        var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        assertThat(process.waitFor()).as("%s", said).isZero();
        assertThat(said).containsExactly("private: written for himself", "shared: EPERM", "write: EPERM", "truncate: EPERM", "grow: EPERM", "punch: EPERM", "open and truncate: EPERM",
                "seals: EPERM", "mode: EPERM", "execute: EACCES");
        assertThat(Files.mismatch(file, memory.path())).isEqualTo(-1);
        Reference.reachabilityFence(memory);
    }
}
