package dev.caisson.host;

import dev.caisson.sandbox.ByteSize;
import java.time.Duration;

/// What a cgroup uses at one moment.
///
/// @param cpu CPU time in all so far
/// @param memory charged to it, but for [#cache]
/// @param cache files kept in memory that can be dropped; what programs share or keep in memory file systems is not in it
public record CgroupLoad(Duration cpu, ByteSize memory, ByteSize cache) {
    static CgroupLoad of(Duration cpu, long charged, long files, long shared) {
        long cache = Math.clamp(files - shared, 0, charged);
        return new CgroupLoad(cpu, new ByteSize(charged - cache), new ByteSize(cache));
    }
}
