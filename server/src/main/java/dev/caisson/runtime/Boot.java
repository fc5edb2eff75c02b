package dev.caisson.runtime;

import dev.caisson.guest.SeedFile;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// All that a driver needs to put one sandbox behind its wall.
///
/// @param directory the sandbox's own directory, made by the caller with mode 0711 (the container's root, a stranger to the
///     host, passes through it); everything the driver makes on disk is in it
/// @param cgroup name of its cgroup, relative to each controller's root, such as `caisson-1a2b3c/sb…`
/// @param image the template's root filesystem
/// @param agentSocket the listening unix socket that the agent dials, `door/agent.sock` in [#directory]
/// @param slot a small number no other living sandbox of this installation has, for what must differ between them (uid ranges)
/// @param network where the network namespace is bound that it runs in, made by the caller
/// @param warmUp what its template has running before it is anybody's; only drivers that start from a snapshot do it themselves
/// @param files that every sandbox begins with. Its caller plants them when it adopts one; a driver that starts from a snapshot does it in that, so that there is nothing left to do
public record Boot(SandboxId id, SandboxSpec spec, Path directory, String cgroup, Image image, Path agentSocket, int slot, Path network, Optional<WarmUp> warmUp, List<SeedFile> files) {
    /// A root filesystem, verified by the caller.
    ///
    /// @param digest SHA-256 of the file, as `sha256:` and 64 hex digits
    /// @param file the erofs image itself
    /// @param directory where it is mounted, read-only
    public record Image(String digest, Path file, Path directory) {}
}
