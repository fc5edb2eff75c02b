package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.guest.SeedFile;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.WarmUp;
import dev.caisson.sandbox.ByteSize;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SnapshotStoreTest {
    private static final ByteSize MEMORY = ByteSize.mib(4);

    @TempDir
    Path directory;

    private SnapshotStore store;

    @BeforeEach
    void open() {
        store = new SnapshotStore(directory.resolve("snapshot"), true);
    }

    private static GuestKernel kernel(String digest) {
        return new GuestKernel(Path.of("/vmlinux"), Path.of("/initramfs"), digest, "6.1");
    }

    private static Origin origin(String vmm) {
        return new Origin(vmm, kernel("guest"), "quiet", new Boot.Image("sha256:1", Path.of("/image"), Path.of("/mounted")), new Vm.Shape(1, MEMORY, ByteSize.mib(64)), Optional.empty(), List.of());
    }

    private Path keep(Origin origin) throws IOException {
        var draft = store.draft(origin);
        try (var memory = new RandomAccessFile(draft.memory().toFile(), "rw")) {
            memory.setLength(MEMORY.bytes());
            memory.seek(1 << 20);
            memory.write("what the guest had in mind".getBytes(StandardCharsets.US_ASCII));
        }
        Files.writeString(draft.state(), "registers");
        Files.writeString(draft.disk(), "blocks");
        store.keep(draft);
        return directory.resolve("snapshot").resolve(origin.key());
    }

    @Test
    void isFoundAsItWasKept() throws IOException {
        Path kept = keep(origin("qemu 7"));
        Snapshot found = store.find(origin("qemu 7")).orElseThrow();
        assertThat(found.state()).asString().isEqualTo("registers");
        assertThat(Files.mismatch(found.memory().orElseThrow().path(), kept.resolve("memory"))).isEqualTo(-1);
        assertThat(Files.readString(found.disk())).isEqualTo("blocks");
    }

    @Test
    void thereIsNoneUntilOneIsWhole() throws IOException {
        store.draft(origin("qemu 7"));
        assertThat(store.find(origin("qemu 7"))).isEmpty();
        keep(origin("qemu 7"));
        assertThat(store.find(origin("qemu 7"))).isPresent();
    }

    @Test
    void whateverItDependsOnMakesItAnother() {
        var image = new Boot.Image("sha256:1", Path.of("/image"), Path.of("/mounted"));
        var shape = new Vm.Shape(1, MEMORY, ByteSize.mib(64));
        var warm = Optional.of(new WarmUp("serve", "user", 80, Duration.ofSeconds(1)));
        assertThat(Stream.of(
                origin("qemu 7"), origin("qemu 8"),
                new Origin("qemu 7", kernel("other guest"), "quiet", image, shape, Optional.empty(), List.of()),
                new Origin("qemu 7", kernel("guest"), "loud", image, shape, Optional.empty(), List.of()),
                new Origin("qemu 7", kernel("guest"), "quiet", new Boot.Image("sha256:2", image.file(), image.directory()), shape, Optional.empty(), List.of()),
                new Origin("qemu 7", kernel("guest"), "quiet", image, new Vm.Shape(2, MEMORY, ByteSize.mib(64)), Optional.empty(), List.of()),
                new Origin("qemu 7", kernel("guest"), "quiet", image, new Vm.Shape(1, ByteSize.mib(8), ByteSize.mib(64)), Optional.empty(), List.of()),
                new Origin("qemu 7", kernel("guest"), "quiet", image, new Vm.Shape(1, MEMORY, ByteSize.mib(65)), Optional.empty(), List.of()),
                new Origin("qemu 7", kernel("guest"), "quiet", image, shape, warm, List.of()),
                new Origin("qemu 7", kernel("guest"), "quiet", image, shape, Optional.empty(), List.of(SeedFile.replace("/etc/resolv.conf", "nameserver 192.0.2.1")))).map(Origin::key)).doesNotHaveDuplicates();
    }

    @ParameterizedTest
    @ValueSource(strings = {"memory", "state", "disk"})
    void oneFlippedByteIsRefusedBeforeAnythingLoadsIt(String name) throws IOException {
        Path file = keep(origin("qemu 7")).resolve(name);
        try (var bytes = new RandomAccessFile(file.toFile(), "rw")) {
            long at = name.equals("memory") ? (1 << 20) + 3 : 3;
            bytes.seek(at);
            int was = bytes.read();
            bytes.seek(at);
            bytes.write(was ^ 1);
        }
        assertThat(store.find(origin("qemu 7"))).isEmpty();
        assertThat(directory.resolve("snapshot").resolve(origin("qemu 7").key() + ".refused").resolve(name)).exists();
        keep(origin("qemu 7"));
        assertThat(store.find(origin("qemu 7"))).isPresent();
    }

    @Test
    void aSnapshotOfAnotherMachineUnderThisNameIsRefused() throws IOException {
        Path other = keep(origin("qemu 7, another CPU"));
        Files.move(other, other.resolveSibling(origin("qemu 7").key()));
        assertThat(store.find(origin("qemu 7"))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "{\"origin\":[]}", "{\"origin\":\"x\",\"digests\":{}}", "no json at all"})
    void aManifestThatIsNoneIsRefused(String text) throws IOException {
        Path manifest = keep(origin("qemu 7")).resolve("manifest");
        Files.writeString(manifest, text);
        assertThat(store.find(origin("qemu 7"))).isEmpty();
    }

    @Test
    void memoryOfAnotherLengthIsRefused() throws IOException {
        Path memory = keep(origin("qemu 7")).resolve("memory");
        try (var file = new RandomAccessFile(memory.toFile(), "rw")) {
            file.setLength(MEMORY.bytes() - 4096);
        }
        assertThat(store.find(origin("qemu 7"))).isEmpty();
    }

    @Test
    void thoseUsedLongestAgoGoFirst() throws IOException, InterruptedException {
        Path first = keep(origin("0"));
        Thread.sleep(20);
        Path second = keep(origin("1"));
        Thread.sleep(20);
        assertThat(store.find(origin("0"))).isPresent();
        for (int i = 2; i < 13; i++) {
            keep(origin(Integer.toString(i)));
        }
        assertThat(first).exists();
        assertThat(second).doesNotExist();
    }

    @Test
    void whatIsOfNoUseGoesWhenAnotherIsKept() throws IOException {
        for (int i = 0; i < 4; i++) {
            Files.writeString(keep(origin("broken " + i)).resolve("state"), "something else");
            assertThat(store.find(origin("broken " + i))).isEmpty();
        }
        Path dead = store.draft(origin("killed")).directory();
        Files.setLastModifiedTime(dead, FileTime.from(Files.getLastModifiedTime(dead).toInstant().minus(Duration.ofHours(2))));
        Path living = store.draft(origin("being made")).directory();
        Path kept = keep(origin("whole"));
        assertThat(directory.resolve("snapshot")).isDirectoryNotContaining(dead::equals).isDirectoryContaining(living::equals).isDirectoryContaining(kept::equals);
        try (var all = Files.list(directory.resolve("snapshot"))) {
            assertThat(all.filter(path -> path.toString().endsWith(".refused"))).hasSize(2);
        }
    }

    @Test
    void oneThatIsInUseSaysSoAndOneThatWentToo() throws IOException {
        Path kept = keep(origin("qemu 7"));
        Snapshot found = store.find(origin("qemu 7")).orElseThrow();
        assertThat(store.isUsed(found)).isTrue();
        Files.move(kept, kept.resolveSibling("elsewhere"));
        assertThat(store.isUsed(found)).isFalse();
    }
}
