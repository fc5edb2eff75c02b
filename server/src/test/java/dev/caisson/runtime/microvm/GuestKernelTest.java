package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.host.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GuestKernelTest {
    @TempDir
    Path directory;

    @BeforeEach
    void make() throws IOException {
        Files.writeString(directory.resolve("vmlinux"), "a kernel");
        Files.writeString(directory.resolve("initramfs"), "an archive");
        Files.writeString(directory.resolve("manifest"),
                "kernel 6.1.0-1-cloud-amd64\npackage linux-image 6.1\nvmlinux " + Sha256.of(directory.resolve("vmlinux")) + "\ninitramfs " + Sha256.of(directory.resolve("initramfs")) + "\n");
    }

    @Test
    void isWhatItsManifestSays() throws IOException {
        GuestKernel kernel = GuestKernel.open(directory);
        assertThat(kernel.version()).isEqualTo("6.1.0-1-cloud-amd64");
        assertThat(kernel.digest()).hasSize(64);
        assertThat(kernel.commandLine("port:caisson.agent")).endsWith("caisson.home=port:caisson.agent");
    }

    @ParameterizedTest
    @ValueSource(strings = {"vmlinux", "initramfs"})
    void aChangedByteIsRefusedByName(String name) throws IOException {
        Files.writeString(directory.resolve(name), "another");
        assertThatThrownBy(() -> GuestKernel.open(directory)).isInstanceOf(IOException.class).hasMessageContaining(directory.resolve(name).toString()).hasMessageContaining("caisson setup");
    }

    @ParameterizedTest
    @ValueSource(strings = {"vmlinux", "initramfs", "manifest"})
    void aMissingFileIsNamed(String name) throws IOException {
        Files.delete(directory.resolve(name));
        assertThatThrownBy(() -> GuestKernel.open(directory)).isInstanceOf(IOException.class).hasMessageContaining("caisson setup");
        assertThat(GuestKernel.unfit(directory).isPresent()).isEqualTo(name.equals("manifest"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "kernel\n", "kernel x\nvmlinux\n", "vmlinux 00\ninitramfs 00\n"})
    void aManifestThatIsNoneIsRefused(String text) throws IOException {
        Files.writeString(directory.resolve("manifest"), text);
        assertThatThrownBy(() -> GuestKernel.open(directory)).isInstanceOf(IOException.class).hasMessageContaining("caisson setup");
    }

    /// Set-up exchanges a link.
    @Test
    void keepsItsFilesWhenSetUpMakesOthers(@TempDir Path home) throws IOException {
        Path link = Files.createSymbolicLink(home.resolve("guest"), directory);
        GuestKernel before = GuestKernel.open(link);
        Path fresh = Files.createDirectory(home.resolve("guest-2"));
        Files.copy(directory.resolve("vmlinux"), fresh.resolve("vmlinux"));
        Files.writeString(fresh.resolve("initramfs"), "another archive");
        Files.writeString(fresh.resolve("manifest"), Files.readString(directory.resolve("manifest"))
                .replace(Sha256.of(directory.resolve("initramfs")), Sha256.of(fresh.resolve("initramfs"))));
        Files.delete(link);
        Files.createSymbolicLink(link, fresh);
        GuestKernel after = GuestKernel.open(link);

        assertThat(Files.readString(before.initramfs())).isEqualTo("an archive");
        assertThat(Files.readString(after.initramfs())).isEqualTo("another archive");
        assertThat(after.digest()).isNotEqualTo(before.digest());
    }
}
