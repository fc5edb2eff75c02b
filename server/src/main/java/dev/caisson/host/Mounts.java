package dev.caisson.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Mounting and unmounting, in the mount namespace of the machine: what one of our processes mounts another can unmount.
///
/// Threads: safe for many.
public final class Mounts {
    private static final Duration BUSY_BOUND = Duration.ofSeconds(2);

    private static final String FD = "/proc/self/fd/";

    private Mounts() {}

    /// Mounts an erofs image file read-only. No `nosuid`: the image's setuid programs must work where the wall allows them.
    public static void erofs(Path image, Path at) throws IOException {
        Files.createDirectories(at);
        LoopDevices.with(image, true, device -> NativeLinux.mount(
                device.toString(), at.toString(), "erofs", NativeLinux.MS_RDONLY | NativeLinux.MS_NODEV | NativeLinux.MS_NOATIME, ""));
    }

    /// Mounts an ext4 image file made by [DiskImages] read-write, without set-user-id and devices.
    public static void ext4(Path image, Path at) throws IOException {
        Files.createDirectories(at);
        // noinit_itable: no kernel thread writes zeros into a file that is all holes. errors=remount-ro: a damaged disk stops, the machine does not.
        LoopDevices.with(image, false, device -> NativeLinux.mount(device.toString(), at.toString(), "ext4",
                NativeLinux.MS_NOSUID | NativeLinux.MS_NODEV | NativeLinux.MS_NOATIME, "noinit_itable,errors=remount-ro,nobarrier"));
    }

    /// Mounts `lower` under a writable `upper`; `work` is on the same filesystem as `upper`.
    ///
    /// The directories are named by descriptors: a guest reads these options in its mount table, and need not learn the host's paths.
    public static void overlay(Path lower, Path upper, Path work, Path at) throws IOException {
        Files.createDirectories(at);
        int lowerFd = NativeLinux.open(lower.toString(), NativeLinux.O_PATH);
        int upperFd = NativeLinux.open(upper.toString(), NativeLinux.O_PATH);
        int workFd = NativeLinux.open(work.toString(), NativeLinux.O_PATH);
        try {
            NativeLinux.mount("overlay", at.toString(), "overlay", NativeLinux.MS_NODEV | NativeLinux.MS_NOATIME,
                    "lowerdir=" + FD + lowerFd + ",upperdir=" + FD + upperFd + ",workdir=" + FD + workFd + ",volatile,xino=off,metacopy=off");
        } finally {
            NativeLinux.close(lowerFd);
            NativeLinux.close(upperFd);
            NativeLinux.close(workFd);
        }
    }

    /// Attaches what is mounted at `source` at another place, with user and group ids 0 to `count`-1 shown as `first` and up.
    public static void idmapped(Path source, Path at, int first, int count) throws IOException, InterruptedException {
        Files.createDirectories(at);
        NativeLinux.attachIdmapped(source.toString(), at.toString(), UserNamespaces.mapping(first, count));
    }

    /// Shows a file or a directory (not what is mounted below it) at another place, where something of its kind is: without set-user-id and devices.
    public static void bind(Path source, Path at, boolean readOnly) throws IOException {
        NativeLinux.mount(source.toString(), at.toString(), "none", NativeLinux.MS_BIND, "");
        NativeLinux.mount("none", at.toString(), "none",
                NativeLinux.MS_BIND | NativeLinux.MS_REMOUNT | NativeLinux.MS_NOSUID | NativeLinux.MS_NODEV | (readOnly ? NativeLinux.MS_RDONLY : 0), "");
    }

    /// A read-write tmpfs of at most that many bytes.
    public static void tmpfs(Path at, long bytes) throws IOException {
        Files.createDirectories(at);
        NativeLinux.mount("tmpfs", at.toString(), "tmpfs", NativeLinux.MS_NOSUID | NativeLinux.MS_NODEV, "size=" + bytes + ",mode=0755");
    }

    public static boolean isMounted(Path point) throws IOException {
        return MountTable.read().has(point);
    }

    /// The image file whose loop device is what is mounted at this point; empty when there is none, or when that file has been deleted or
    /// replaced since.
    public static Optional<Path> imageAt(Path point) throws IOException {
        for (var mount : MountTable.read().mounts().reversed()) {
            if (mount.point().equals(point)) {
                var device = Path.of(mount.source()).getFileName();
                var said = device == null ? "" : CgroupFiles.text(Path.of("/sys/block", device.toString(), "loop/backing_file")).strip();
                var file = Path.of(said);
                return said.startsWith("/") && Files.isRegularFile(file) ? Optional.of(file) : Optional.empty();
            }
        }
        return Optional.empty();
    }

    /// Mount points strictly below a directory, in the order to unmount them in.
    public static List<Path> below(Path directory) throws IOException {
        return MountTable.read().below(directory);
    }

    /// Unmounts all that is mounted at this point; harmless when nothing is.
    ///
    /// A busy mount is tried again for 2 seconds and then detached, to be released with its last user.
    public static void unmount(Path point) throws IOException {
        var until = System.nanoTime() + BUSY_BOUND.toNanos();
        while (true) {
            try {
                NativeLinux.umount(point.toString(), System.nanoTime() < until ? 0 : NativeLinux.MNT_DETACH);
            } catch (NativeException e) {
                switch (e.errno()) {
                    // Not a mount point, or not even there.
                    case Errno.EINVAL, Errno.ENOENT -> {
                        return;
                    }
                    case Errno.EBUSY -> Pause.of(Duration.ofMillis(2));
                    default -> throw e;
                }
            }
        }
    }
}
