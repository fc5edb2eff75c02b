package dev.caisson.runtime;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Child;
import dev.caisson.host.Home;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Mounts;
import dev.caisson.host.Reclaimer;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;

/// What tests of real sandboxes need once: an installation of their own, a small root image, and a small agent.
///
/// Image and agent are kept in /var/cache/caisson-test, made on first use.
public final class TestMachine {
    private static final Path CACHE = Path.of("/var/cache/caisson-test");
    private static final Path SOURCE = Path.of("src/test/resources/dev/caisson/runtime/agent.c");

    public final Home home;
    public final Cgroups cgroups;
    public final Reclaimer reclaimer;
    public final Path agent;
    public final Boot.Image image;

    private TestMachine(Path agent, Path erofs) throws IOException {
        this.home = new Home(Files.createTempDirectory(Path.of("/tmp"), "cs"));
        Files.setPosixFilePermissions(home.path(), PosixFilePermissions.fromString("rwxr-xr-x"));
        this.cgroups = Cgroups.detect();
        this.reclaimer = new Reclaimer(home, cgroups);
        this.agent = agent;
        // Nobody here asks whether the digest is right.
        this.image = new Boot.Image("sha256:" + "0".repeat(64), erofs, home.image().resolve("root"));
        Files.createDirectories(home.sandboxes());
        Mounts.erofs(erofs, image.directory());
    }

    /// Why such tests cannot run here; empty when they can.
    public static Optional<String> unfit() {
        if (!HostFacts.runningAsRoot()) {
            return Optional.of("needs root");
        }
        for (String program : new String[] {"cc", "mmdebstrap", "mkfs.erofs"}) {
            if (HostFacts.program(program, "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").isEmpty()) {
                return Optional.of("needs " + program);
            }
        }
        return Optional.empty();
    }

    public static TestMachine open() throws IOException, InterruptedException {
        Files.createDirectories(CACHE);
        return new TestMachine(agent(), image());
    }

    private static Path agent() throws IOException, InterruptedException {
        var agent = CACHE.resolve("agent-" + Integer.toHexString(Files.readString(SOURCE).hashCode()));
        if (!Files.exists(agent)) {
            Child.of(CACHE.resolve("cc.log"), "cc", "-O2", "-static", "-o", agent.toString(), SOURCE.toAbsolutePath().toString()).mustRun(Duration.ofMinutes(1));
        }
        return agent;
    }

    private static Path image() throws IOException, InterruptedException {
        var image = CACHE.resolve("root-2.erofs");
        if (!Files.exists(image)) {
            var tree = Files.createTempDirectory(CACHE, "tree");
            var log = CACHE.resolve("image.log");
            Child.of(log, "mmdebstrap", "--variant=minbase", "--include=python3-minimal,sudo", "--customize-hook=chroot \"$1\" useradd -m -u 1000 -s /bin/bash user",
                    "--customize-hook=echo 'user ALL=(ALL) NOPASSWD: ALL' > \"$1\"/etc/sudoers.d/user",
                    "bookworm", tree.toString()).mustRun(Duration.ofMinutes(5));
            // After mmdebstrap, which empties /tmp. Why /tmp holds something: see GvisorDriver.
            Files.createDirectory(tree.resolve(".caisson"));
            Files.createDirectory(tree.resolve("tmp/.X11-unix"));
            var made = CACHE.resolve("root.erofs.new");
            Child.of(log, "mkfs.erofs", "-E", "noinline_data", made.toString(), tree.toString()).mustRun(Duration.ofMinutes(1));
            Files.move(made, image);
            Child.of(log, "rm", "-rf", "--one-file-system", tree.toString()).mustRun(Duration.ofMinutes(1));
        }
        return image;
    }

    public void close() throws IOException, InterruptedException {
        reclaimer.release(new Resource(ResourceKind.MOUNT, image.directory().toString()));
        cgroups.remove(home.cgroupParent());
        Child.of(Path.of("/dev/null"), "rm", "-rf", "--one-file-system", home.path().toString()).mustRun(Duration.ofMinutes(1));
    }
}
