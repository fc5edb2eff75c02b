package dev.caisson.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.host.Child;
import dev.caisson.host.Home;
import dev.caisson.host.Mounts;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateName;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Builds real images of a few packages: needs root, the tools and Debian's archive.
@Tag("machine")
class ImagesTest {
    static final TemplateName SMALL = new TemplateName("small");
    static final Recipe RECIPE = Recipe.parse(SMALL, """
            suite bookworm
            time 2026-01-01T00:00:00Z
            package jq
            setup
            useradd --create-home --uid 1000 --shell /bin/bash user
            """);

    @TempDir
    private Path directory;

    private Home home;
    private Images images;

    @BeforeEach
    void open() throws IOException {
        home = new Home(directory.resolve("h"));
        images = new Images(home, List.of(RECIPE));
    }

    @AfterEach
    void leavesNothingMounted() throws Exception {
        images.unmountAll();
        assertThat(Mounts.below(directory)).isEmpty();
    }

    @Test
    void anUnknownTemplateIsAnsweredWithThoseThatExist() {
        assertThatThrownBy(() -> images.resolve(new TemplateName("nope"))).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.TEMPLATE_NOT_FOUND);
            assertThat(e.failure().message() + e.failure().remedy()).contains("'nope'", "small");
        });
    }

    @Test
    void aTemplateThatIsNotBuiltSaysHowTo() {
        assertThatThrownBy(() -> images.resolve(SMALL)).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.HOST_UNFIT);
            assertThat(e.failure().remedy()).contains("caisson template build small");
        });
    }

    @Test
    void buildsTheSameBytesTwiceAndMountsThem() throws Exception {
        var told = new ArrayList<String>();
        var digest = images.build(SMALL, false, told::add);
        assertThat(told).anyMatch(line -> line.startsWith("template small: install packages done ("));
        assertThat(images.build(SMALL, false, line -> told.add("again " + line))).isEqualTo(digest);
        assertThat(told).noneMatch(line -> line.startsWith("again"));

        var image = images.resolve(SMALL);
        assertThat(image.digest()).isEqualTo(digest);
        assertThat(image.directory().resolve(".caisson")).isEmptyDirectory();
        assertThat(image.directory().resolve("etc/machine-id")).isEmptyFile();
        assertThat(image.directory().resolve("tmp")).isNotEmptyDirectory();
        assertThat(image.directory().resolve("usr/bin/jq")).isExecutable();
        assertThat(Files.readString(image.directory().resolve("etc/apt/sources.list"))).contains("http://deb.debian.org/debian bookworm main");
        assertThatThrownBy(() -> Files.createFile(image.directory().resolve("new"))).hasMessageContaining("Read-only");

        // After a restart the mount is used as it is.
        var restarted = new Images(home, List.of(RECIPE));
        assertThat(restarted.resolve(SMALL).directory()).isEqualTo(image.directory());
        assertThat(Mounts.below(directory)).hasSize(1);
        images.unmountAll();

        flipOneBit(image.file());
        assertThatThrownBy(() -> new Images(home, List.of(RECIPE)).resolve(SMALL)).isInstanceOfSatisfying(
                SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.IMAGE_CORRUPT));
        assertThat(Mounts.below(directory)).isEmpty();
        assertThat(restarted.build(SMALL, true, told::add)).as("a second build, of the same bytes").isEqualTo(digest);
        assertThat(restarted.resolve(SMALL).directory().resolve("usr/bin/jq")).isExecutable();
        assertThat(home.image().resolve("build")).doesNotExist();

        assertThat(restarted.templates()).singleElement().satisfies(template -> {
            assertThat(template.digest()).contains(digest);
            assertThat(template.size().bytes()).isPositive();
        });
        assertThat(restarted.remove(SMALL)).isTrue();
        assertThat(restarted.remove(SMALL)).isFalse();
        assertThat(restarted.templates()).singleElement().satisfies(template -> assertThat(template.digest()).isEmpty());
        assertThatThrownBy(() -> restarted.resolve(SMALL)).as("removed by somebody, and by us").isInstanceOf(SandboxException.class);
    }

    private static void flipOneBit(Path file) throws IOException {
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        try (var bytes = new RandomAccessFile(file.toFile(), "rw")) {
            bytes.seek(bytes.length() / 2);
            int old = bytes.read();
            bytes.seek(bytes.length() / 2);
            bytes.write(old ^ 1);
        }
    }

    @Test
    void aBuildThatIsKilledLeavesNothing() throws Exception {
        var log = directory.resolve("killed.log");
        var builder = Child.of(
                log, Path.of(System.getProperty("java.home"), "bin/java").toString(), "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("java.class.path"), BuildUntilKilled.class.getName(), home.path().toString()).start();
        try {
            await("the build is under way", () -> Files.isDirectory(home.image().resolve("build/root/usr")));
        } finally {
            builder.destroyForcibly();
        }
        assertThat(builder.waitFor(10, TimeUnit.SECONDS)).isTrue();
        await("no process works on it", () -> ProcessHandle.allProcesses().noneMatch(
                process -> process.info().commandLine().orElse("").contains(home.image().resolve("build").toString())));
        assertThat(Mounts.below(directory)).isEmpty();
        assertThat(home.image().resolve("build")).exists();
        images.sweep();
        assertThat(home.image().resolve("build")).doesNotExist();
        assertThat(home.image().resolve("blobs/sha256")).isEmptyDirectory();
        assertThat(home.image().resolve("index")).isEmptyDirectory();
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(String what, Condition condition) throws IOException {
        long until = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        while (!condition.holds()) {
            assertThat(System.nanoTime()).as(what).isLessThan(until);
            LockSupport.parkNanos(10_000_000);
        }
    }
}
