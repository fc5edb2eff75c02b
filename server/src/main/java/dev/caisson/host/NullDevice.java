package dev.caisson.host;

import java.io.IOException;
import java.nio.file.Path;

/// A null device of one sandbox's own.
///
/// Container runtimes hand their standard streams to the guest's first process, and give them to its user: with the machine's own /dev/null a guest
/// could change the mode of a file that everybody needs.
public final class NullDevice {
    private NullDevice() {}

    /// Makes it.
    ///
    /// Errors: an [IOException] where the filesystem is mounted `nodev`, found out by opening it.
    public static void make(Path path) throws IOException {
        NativeLinux.makeNull(path.toString());
        try {
            NativeLinux.close(NativeLinux.open(path.toString(), NativeLinux.O_RDWR));
        } catch (NativeException e) {
            throw new IOException("a device file does not work at " + path + " (is that filesystem mounted nodev? put CAISSON_HOME on another)", e);
        }
    }
}
