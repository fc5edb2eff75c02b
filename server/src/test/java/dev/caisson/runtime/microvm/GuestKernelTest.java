package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestKernelTest {
    private static final String KERNEL = "6.1.0-56-cloud-amd64";

    @TempDir
    private Path home;

    private Path directory;

    @BeforeEach
    void setUp() throws Exception {
        directory = make("guest-1", "the kernel", "the initramfs");
        Files.createSymbolicLink(home.resolve("guest"), Path.of("guest-1"));
    }

    @Test
    void readsWhatSetUpMade() throws IOException {
        var guest = GuestKernel.open(home.resolve("guest"));

        assertThat(guest.version()).isEqualTo(KERNEL);
        assertThat(guest.digest()).matches("[0-9a-f]{64}");
        assertThat(Files.readString(guest.vmlinux())).isEqualTo("the kernel");
        assertThat(Files.readString(guest.initramfs())).isEqualTo("the initramfs");
    }

    @Test
    void keepsItsFilesWhenSetUpMakesOthers() throws Exception {
        var before = GuestKernel.open(home.resolve("guest"));
        make("guest-2", "the kernel", "another initramfs");
        Files.delete(home.resolve("guest"));
        Files.createSymbolicLink(home.resolve("guest"), Path.of("guest-2"));
        var after = GuestKernel.open(home.resolve("guest"));

        assertThat(Files.readString(before.initramfs())).isEqualTo("the initramfs");
        assertThat(Files.readString(after.initramfs())).isEqualTo("another initramfs");
        assertThat(after.digest()).isNotEqualTo(before.digest());
    }

    @Test
    void theDigestIsOfTheFilesAlone() throws IOException {
        var before = GuestKernel.open(directory);
        Files.writeString(directory.resolve("manifest"), Files.readString(directory.resolve("manifest")) + "recipe 2\n");

        assertThat(GuestKernel.open(directory).digest()).isEqualTo(before.digest());
    }

    @Test
    void nothingThereIsAnErrorWithItsRemedy() throws IOException {
        assertRefused(() -> GuestKernel.open(home.resolve("none")), "microVMs have no kernel: there is no " + home.resolve("none"));
        for (String name : new String[] {"manifest", "initramfs", "vmlinux"}) {
            Files.move(directory.resolve(name), home.resolve(name));
            assertRefused(() -> GuestKernel.open(directory), "there is no " + directory.toRealPath().resolve(name));
            Files.move(home.resolve(name), directory.resolve(name));
        }
    }

    @Test
    void aFlippedBitInEitherFileIsDamage() throws IOException {
        for (String name : new String[] {"vmlinux", "initramfs"}) {
            var file = directory.resolve(name);
            var right = Files.readAllBytes(file);
            var wrong = right.clone();
            wrong[right.length - 1] ^= 1;
            Files.write(file, wrong);
            assertRefused(() -> GuestKernel.open(directory), file.toRealPath() + " is damaged");
            Files.write(file, right);
        }
        assertThat(GuestKernel.open(directory).version()).isEqualTo(KERNEL);
    }

    @Test
    void aManifestThatSetUpDoesNotWriteIsRefused() throws IOException {
        var file = directory.resolve("manifest");
        var right = Files.readString(file);
        refusesManifest(right.replace("vmlinux ", "linux "), "does not tell its 'vmlinux'");
        refusesManifest(right.replace("kernel " + KERNEL, "kernel ../../etc"), "does not tell its 'kernel'");
        refusesManifest(right.replaceAll("initramfs .", "initramfs X"), "does not tell its 'initramfs'");
        refusesManifest(right + right, "is not what set-up writes");
        refusesManifest(right + "word\n", "is not what set-up writes");
        refusesManifest(right + "padding " + "x".repeat(5000) + "\n", "is not what set-up writes");
        refusesManifest("", "does not tell its 'vmlinux'");
        refusesManifest(right.replaceAll("vmlinux .{4}", "vmlinux 0000"), "vmlinux is damaged");
    }

    private void refusesManifest(String text, String why) throws IOException {
        Files.writeString(directory.resolve("manifest"), text);
        assertRefused(() -> GuestKernel.open(directory), why);
    }

    private static void assertRefused(ThrowingCallable opening, String why) {
        assertThatThrownBy(opening).isInstanceOf(IOException.class).hasMessageContaining(why).hasMessageEndingWith("caisson setup");
    }

    private Path make(String name, String vmlinux, String initramfs) throws Exception {
        var made = Files.createDirectory(home.resolve(name));
        Files.writeString(made.resolve("vmlinux"), vmlinux);
        Files.writeString(made.resolve("initramfs"), initramfs);
        Files.writeString(made.resolve("manifest"), "kernel " + KERNEL + "\npackage linux-image-" + KERNEL + " 6.1.192-2\nvmlinux " + sha256(vmlinux)
                + "\ninitramfs " + sha256(initramfs) + "\nagent " + sha256("agent") + "\n");
        return made;
    }

    private static String sha256(String text) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    }
}
