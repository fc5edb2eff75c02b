package dev.caisson.runtime.microvm;

import dev.caisson.sandbox.ByteSize;
import java.nio.file.Path;

/// One machine: what it is made of and where it lives on the host.
///
/// Everything that must not outlive it is in [#directory], in [#cgroup] or in [#network]; all three are there before the VMM is asked, the tap in the namespace too.
///
/// @param name unique on this host, at most 32 of a-z and 0-9
/// @param directory the machine's own, mode 0711, root's; the VMM makes what it needs below `vm/` in it, where nothing else is
/// @param cgroup its cgroup, which exists
/// @param user user and group id that the VMM runs as, which no other machine has
/// @param network where its network namespace is bound
/// @param tap name of the tap in that namespace, which belongs to [#user]
/// @param agentSocket listens; the VMM dials it for the guest's agent, again when it has been away. `door/agent.sock` in [#directory]; belongs to [#user]
/// @param root the erofs image, which the guest sees as its first block device, read-only
/// @param disk an ext4 image of its own, the second block device; belongs to [#user]
/// @param shape what a snapshot must share with it
/// @param rates how fast its devices may be
public record Vm(
        String name, Path directory, String cgroup, int user, Path network, String tap, Path agentSocket, Path root, Path disk, Shape shape, DeviceRates rates) {
    /// The guest sees these; they cannot change while it lives.
    ///
    /// @param memory a whole number of MiB
    public record Shape(int vcpus, ByteSize memory, ByteSize disk) {}

    /// What the VMM makes below.
    public Path workshop() {
        return directory.resolve("vm");
    }
}
