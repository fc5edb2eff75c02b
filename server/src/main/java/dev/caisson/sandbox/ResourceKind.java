package dev.caisson.sandbox;

/// Kinds of things of the host's kernel that a sandbox may hold. The name of each is an absolute path unless said otherwise.
public enum ResourceKind {
    /// A directory of the sandbox's own, and all in it.
    DIRECTORY,
    /// A unix socket.
    SOCKET,
    /// The runtime's own state directory, with whatever it mounted below.
    RUNTIME_STATE,
    /// A cgroup; its name is relative to each controller's root.
    CGROUP,
    /// A network namespace, kept by a bind mount at the path.
    NETWORK_NAMESPACE,
    /// A loop device; the name is the path of the file behind it.
    LOOP_DEVICE,
    /// A mount point.
    MOUNT,
    /// A file or directory that holds what the sandbox writes.
    DISK,
    /// Every process in the cgroup of that name.
    PROCESSES
}
