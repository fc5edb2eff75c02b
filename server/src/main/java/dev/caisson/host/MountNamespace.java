package dev.caisson.host;

import java.io.IOException;

/// A mount namespace that a [Stage] has been set in, held by a descriptor until it is closed; then by the processes in it.
///
/// @param fd of the namespace, closed in children
record MountNamespace(int fd) {
    static MountNamespace of(Stage stage) throws IOException, InterruptedException {
        return OwnThread.leaving(OwnThread.Namespace.MOUNT, () -> {
            NativeLinux.unshare(NativeLinux.CLONE_NEWNS, "mount namespace");
            // What is mounted here stays here; what is unmounted elsewhere goes here too.
            NativeLinux.mount("none", "/", "none", NativeLinux.MS_REC | NativeLinux.MS_SLAVE, "");
            stage.set();
            return new MountNamespace(NativeLinux.open(OwnThread.Namespace.MOUNT.path(), NativeLinux.O_RDONLY));
        });
    }

    /// Where another process of ours finds it, while it is open.
    String path() {
        return "/proc/" + ProcessHandle.current().pid() + "/fd/" + fd;
    }

    void close() {
        NativeLinux.close(fd);
    }
}
