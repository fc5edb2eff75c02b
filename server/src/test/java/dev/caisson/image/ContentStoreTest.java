package dev.caisson.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateName;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContentStoreTest {
    private static final TemplateName NAME = new TemplateName("small");
    private static final Recipe FIRST = recipe("# first");
    private static final Recipe SECOND = recipe("# second");

    @TempDir
    private Path directory;

    private ContentStore store;

    @BeforeEach
    void open() throws Exception {
        store = ContentStore.open(directory.resolve("image"));
    }

    private static Recipe recipe(String comment) {
        return Recipe.parse(NAME, comment + "\nsuite bookworm\ntime 2026-01-01T00:00:00Z\n");
    }

    private String put(Recipe recipe, String content) throws Exception {
        var file = directory.resolve("made");
        Files.writeString(file, content);
        return store.put(file, recipe, List.of("bash 5.2"));
    }

    @Test
    void givesBackWhatWasPut() throws Exception {
        var digest = put(FIRST, "an image");
        assertThat(digest).isEqualTo(Digest.of(store.file(digest)));
        assertThat(Files.readString(store.file(digest))).isEqualTo("an image");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(store.file(digest)))).isEqualTo("r--r--r--");
        assertThat(ContentStore.open(directory.resolve("image")).image(FIRST)).contains(digest);
        assertThat(store.image(SECOND)).isEmpty();
        store.verify(digest, NAME);
    }

    @Test
    void refusesAnImageWithOneBitChanged() throws Exception {
        var digest = put(FIRST, "an image");
        var file = store.file(digest);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        Files.writeString(file, "an imagf");
        assertThatThrownBy(() -> store.verify(digest, NAME))
                .isInstanceOfSatisfying(SandboxException.class, e -> {
                    assertThat(e.code()).isEqualTo(Failure.Code.IMAGE_CORRUPT);
                    assertThat(e.failure().message()).contains(file.toString(), digest, Digest.of("never").substring(0, 7));
                    assertThat(e.failure().remedy()).contains("caisson template build --again small");
                });
    }

    @Test
    void aCorruptedImageIsReplacedByTheSameOneBuiltAgain() throws Exception {
        var digest = put(FIRST, "an image");
        Files.setPosixFilePermissions(store.file(digest), PosixFilePermissions.fromString("rw-------"));
        Files.writeString(store.file(digest), "broken");
        assertThat(put(FIRST, "an image")).isEqualTo(digest);
        store.verify(digest, NAME);
    }

    @Test
    void collectsWhatNoRecipeNamesAndNobodyMounted() throws Exception {
        var old = put(FIRST, "old");
        var present = put(SECOND, "new");
        store.collect(Set.of(ImageMounts.name(old)));
        assertThat(store.has(old)).isTrue();
        store.collect(Set.of());
        assertThat(store.has(old)).isFalse();
        assertThat(store.has(present)).isTrue();
        assertThat(store.image(FIRST)).isEmpty();
    }

    @Test
    void anUnreadableIndexEntryCountsAsNotBuilt() throws Exception {
        put(FIRST, "an image");
        var entry = directory.resolve("image/index").resolve(Digest.hex(FIRST.digest()));
        for (var text : new String[] {"", "image sha256:../../etc/passwd\ntemplate small\n", "image\n"}) {
            Files.writeString(entry, text);
            assertThat(store.image(FIRST)).isEmpty();
        }
    }

    @Test
    void oneBuildsAtATime() throws Exception {
        try (var _ = store.lock(ContentStore.Work.BUILD)) {
            assertThat(ContentStore.open(directory.resolve("image")).tryLock(ContentStore.Work.BUILD)).isEmpty();
            try (var mount = store.tryLock(ContentStore.Work.MOUNT).orElseThrow()) {
                assertThat(mount).isNotNull();
            }
        }
        try (var again = store.tryLock(ContentStore.Work.BUILD).orElseThrow()) {
            assertThat(again).isNotNull();
        }
    }
}
