package dev.caisson.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The kernel's virtual machines, for one user.
public final class KvmDevice {
    private static final int MAJOR = 10;
    private static final int MINOR = 232;

    private KvmDevice() {}

    /// Makes another device file by which that user, who may not open the machine's own, has KVM.
    ///
    /// Errors: a [NativeException]; on a filesystem that is mounted `nodev` opening it fails.
    public static void make(Path path, int owner) throws IOException {
        NativeLinux.makeCharacterDevice(path.toString(), 0600, MAJOR, MINOR);
        Files.setAttribute(path, "unix:gid", owner);
        Files.setAttribute(path, "unix:uid", owner);
    }
}
