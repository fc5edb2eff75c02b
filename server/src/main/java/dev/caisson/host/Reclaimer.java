package dev.caisson.host;

import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;

/// Releases any resource of a sandbox and checks that it is gone, knowing nothing but its kind and name: the keeper, the deadman and the sweep
/// use it alike, also after a crash in the middle.
///
/// Every release is harmless when the thing is gone or was never made. Names outside this installation are refused with
/// [IllegalArgumentException], so a damaged journal cannot hurt the machine.
/// Threads: safe for many, and for several processes at once.
public final class Reclaimer {
    private static final Duration KILL_BOUND = Duration.ofSeconds(5);
    private static final Duration LOOP_BOUND = Duration.ofSeconds(2);

    private final Home home;
    private final Cgroups cgroups;

    public Reclaimer(Home home, Cgroups cgroups) {
        this.home = home;
        this.cgroups = cgroups;
    }

    /// Releases it and checks. A failure is in the check's detail, never thrown.
    public Receipt.Check release(Resource resource) throws InterruptedException {
        require(resource);
        try {
            releaseNow(resource);
        } catch (IOException e) {
            if (Thread.interrupted()) {
                throw new InterruptedException("releasing " + resource);
            }
            var check = check(resource);
            return check.gone() ? check : new Receipt.Check(resource, false, String.valueOf(e.getMessage()));
        }
        return check(resource);
    }

    /// Looks whether it is gone; changes nothing.
    public Receipt.Check check(Resource resource) {
        require(resource);
        try {
            var left = left(resource);
            return new Receipt.Check(resource, left.isEmpty(), left);
        } catch (IOException e) {
            return new Receipt.Check(resource, false, "cannot look: " + e.getMessage());
        }
    }

    private void releaseNow(Resource resource) throws IOException, InterruptedException {
        var name = resource.name();
        switch (resource.kind()) {
            case PROCESSES -> cgroups.kill(name, KILL_BOUND);
            case CGROUP -> {
                cgroups.kill(name, KILL_BOUND);
                cgroups.remove(name);
            }
            case MOUNT -> Mounts.unmount(Path.of(name));
            case NETWORK_NAMESPACE -> {
                Mounts.unmount(Path.of(name));
                Files.deleteIfExists(Path.of(name));
            }
            case RUNTIME_STATE -> {
                for (Path mounted : Mounts.below(Path.of(name))) {
                    Mounts.unmount(mounted);
                }
                Trees.remove(Path.of(name));
            }
            case LOOP_DEVICE -> releaseLoop(Path.of(name));
            case SOCKET -> Files.deleteIfExists(Path.of(name));
            case DIRECTORY, DISK -> Trees.remove(Path.of(name));
        }
    }

    /// A device clears itself with its last unmount, which the kernel finishes a moment later.
    private static void releaseLoop(Path file) throws IOException {
        var until = System.nanoTime() + LOOP_BOUND.toNanos();
        for (var devices = LoopDevices.of(file); !devices.isEmpty() && System.nanoTime() < until; devices = LoopDevices.of(file)) {
            for (Path device : devices) {
                LoopDevices.detach(device);
            }
            Pause.of(Duration.ofMillis(1));
        }
    }

    /// What is left of it; empty when gone.
    private String left(Resource resource) throws IOException {
        var name = resource.name();
        return switch (resource.kind()) {
            case PROCESSES -> {
                var living = cgroups.processes(name);
                yield living.isEmpty() ? "" : living.size() + " processes live, first " + living.getFirst();
            }
            case CGROUP -> cgroups.exists(name) ? "the cgroup is there" : "";
            case MOUNT -> Mounts.isMounted(Path.of(name)) ? "still mounted" : "";
            case NETWORK_NAMESPACE -> Files.exists(Path.of(name), LinkOption.NOFOLLOW_LINKS) || Mounts.isMounted(Path.of(name)) ? "still bound" : "";
            case LOOP_DEVICE -> {
                var devices = LoopDevices.of(Path.of(name));
                yield devices.isEmpty() ? "" : "held by " + devices.getFirst();
            }
            case RUNTIME_STATE, SOCKET, DIRECTORY, DISK -> Files.exists(Path.of(name), LinkOption.NOFOLLOW_LINKS) ? "still there" : "";
        };
    }

    private void require(Resource resource) {
        var name = resource.name();
        switch (resource.kind()) {
            case CGROUP, PROCESSES -> {
                if (!name.startsWith(home.cgroupParent() + "/") || name.contains("..") || name.endsWith("/")) {
                    throw new IllegalArgumentException("not a cgroup of this installation: " + resource);
                }
            }
            case DIRECTORY, SOCKET, RUNTIME_STATE, NETWORK_NAMESPACE, LOOP_DEVICE, MOUNT, DISK -> {
                var path = Path.of(name);
                if (!path.isAbsolute() || !path.equals(path.normalize()) || !path.startsWith(home.path()) || path.equals(home.path())) {
                    throw new IllegalArgumentException("not in this installation's home " + home.path() + ": " + resource);
                }
            }
        }
    }
}
