package dev.caisson.testing;

import dev.caisson.host.Home;
import dev.caisson.host.Mounts;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// An installation's home for one test, with the programs and images of the machine's own installation (CAISSON_HOME, which `./caisson setup` prepares).
///
/// Cleanup: close unmounts the images and removes the directory; what a sandbox left makes it fail.
public record TestHome(Home home) implements AutoCloseable {
    public static TestHome make() throws IOException {
        Path prepared = prepared();
        var home = new Home(directory());
        link(prepared.resolve("bin"), home.bin());
        link(prepared.resolve("image/blobs"), home.image().resolve("blobs"));
        link(prepared.resolve("image/index"), home.image().resolve("index"));
        Files.createDirectories(home.log());
        return new TestHome(home);
    }

    /// One whose node can run microVMs, where the machine's installation has what they boot. Its node tries KVM once, for seconds.
    public static TestHome withGuest() throws IOException {
        var made = make();
        Path guest = prepared().resolve("guest");
        if (Files.isDirectory(guest)) {
            Files.createSymbolicLink(made.home.guest(), guest.toRealPath());
        }
        return made;
    }

    /// A home on a file system of its own, of `bytes`, but for its programs and images.
    public static TestHome onDiskOf(long bytes) throws IOException {
        Path prepared = prepared();
        var home = new Home(directory());
        mount("-t", "tmpfs", "-o", "mode=755,size=" + bytes, "tmpfs", home.path().toString());
        Files.createSymbolicLink(home.bin(), prepared.resolve("bin"));
        link(prepared.resolve("image/index"), home.image().resolve("index"));
        // Mounted rather than linked: the kernel must know the images by names in this home.
        Path blobs = Files.createDirectories(home.image().resolve("blobs"));
        mount("--bind", prepared.resolve("image/blobs").toString(), blobs.toString());
        Files.createDirectories(home.log());
        return new TestHome(home);
    }

    private static void mount(String... words) throws IOException {
        try {
            if (new ProcessBuilder(Stream.concat(Stream.of("mount"), Stream.of(words)).toList()).inheritIO().start().waitFor() != 0) {
                throw new IOException("cannot mount " + String.join(" ", words));
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static Path prepared() {
        Path prepared = Path.of(Optional.ofNullable(System.getenv("CAISSON_HOME")).orElse("/var/lib/caisson"));
        Assumptions.assumeTrue(Files.isExecutable(prepared.resolve("bin/caisson-agent")), "no agent in " + prepared + ": run ./caisson setup");
        Assumptions.assumeTrue(Files.isDirectory(prepared.resolve("image/index")), "no template in " + prepared + ": run ./caisson setup");
        return prepared;
    }

    private static Path directory() throws IOException {
        Path path = Files.createTempDirectory(Path.of("/tmp"), "caisson-t");
        // The front's user must reach its own directory below.
        Files.setPosixFilePermissions(path, java.nio.file.attribute.PosixFilePermissions.fromString("rwxr-xr-x"));
        return path;
    }

    private static void link(Path from, Path to) throws IOException {
        try (var files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Path target = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    try {
                        Files.createLink(target, file.toRealPath());
                    } catch (FileSystemException _) {
                        Files.copy(file, target, java.nio.file.StandardCopyOption.COPY_ATTRIBUTES);
                    }
                }
            }
        }
    }

    public Path path() {
        return home.path();
    }

    public Leftovers leftovers() {
        return new Leftovers(home.path(), home.cgroupParent());
    }

    @Override
    public void close() throws IOException {
        for (Path mounted : Mounts.below(home.path())) {
            Mounts.unmount(mounted);
        }
        Mounts.unmount(home.path());
        try (var trees = Files.list(Path.of("/sys/fs/cgroup"))) {
            for (Path tree : trees.toList()) {
                // Empty, or the test has failed already.
                Files.deleteIfExists(tree.resolve(home.cgroupParent()));
            }
        }
        try (var files = Files.walk(home.path())) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
