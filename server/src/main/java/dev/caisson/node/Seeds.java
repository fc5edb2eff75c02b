package dev.caisson.node;

import dev.caisson.guest.SeedFile;
import java.util.List;

/// The files that a sandbox has before anything of its caller's runs.
final class Seeds {
    /// Names are asked of the gateway.
    ///
    /// One server: the gateway's IPv6 address leads to the same resolver, which is there at both or at none. Named here too, it would double the time that glibc,
    /// Go and c-ares spend on one that is away, since they ask one server after the other, and the queries of musl, which asks all at once.
    /// Two seconds, twice: a name that the gateway has to look up itself may be slow to come, and the answer to the second query is there by then.
    /// No edns0: an answer fits the oldest form of message.
    private static final SeedFile RESOLVER = SeedFile.replace("/etc/resolv.conf", """
            nameserver 100.127.255.53
            options timeout:2 attempts:2
            """);

    private Seeds() {}

    /// At most [SeedFile#MAX_FILES].
    /// Also where nothing may leave now: that can change, and until then the resolver says at once that there is no such name.
    static List<SeedFile> seeds() {
        return List.of(RESOLVER);
    }
}
