package dev.caisson.host;

import java.nio.file.Path;

/// Bytes in memory that nobody can change any more, not even we: a memfd with all seals.
///
/// @param descriptor of this process; open for as long as this process
/// @param bytes length
public record SealedMemory(int descriptor, long bytes) {
    /// Where a process of root's can open it, while this process lives.
    public Path path() {
        return Path.of("/proc/" + ProcessHandle.current().pid() + "/fd/" + descriptor);
    }
}
