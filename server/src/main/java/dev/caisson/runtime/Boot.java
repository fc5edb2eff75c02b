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
/// @param agentSocket the listening unix socket that the agent dials, `door/agent.sock` in [#directory]
/// @param slot a small number no other living sandbox of this installation has, for what must differ between them (uid ranges)
/// @param network where the network namespace is bound that it runs in, made by the caller
public record Boot(SandboxId id, SandboxSpec spec, Path directory, String cgroup, Path agentSocket, int slot, Path network, Content content) {
    /// What is in a sandbox before it is anybody's.
    ///
    /// @param image the template's root filesystem
    /// @param warmUp what its template has running then; only drivers that start from a snapshot do it themselves
    /// @param files that every sandbox begins with. Its caller plants them when it adopts one; a driver that starts from a snapshot does it in that, so that there is nothing left to do
    public record Content(Image image, Optional<WarmUp> warmUp, List<SeedFile> files) {
        public Content {
            files = List.copyOf(files);
        }

        /// A filesystem in which nothing runs yet.
        public static Content of(Image image) {
            return new Content(image, Optional.empty(), List.of());
        }
    }

    /// A root filesystem, verified by the caller.
    ///
    /// @param digest SHA-256 of the file, as `sha256:` and 64 hex digits
    /// @param file the erofs image itself
    /// @param directory where it is mounted, read-only
    public record Image(String digest, Path file, Path directory) {}

    /// The same place, for a sandbox of that spec.
    public Boot with(SandboxSpec other) {
        return new Boot(id, other, directory, cgroup, agentSocket, slot, network, content);
    }
}
