package dev.caisson.node;

import dev.caisson.egress.TrustSeeds;
import dev.caisson.guest.SeedFile;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

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

    /// Those of every sandbox.
    static final List<SeedFile> ALWAYS = List.of(RESOLVER);

    private Seeds() {}

    /// At most [SeedFile#MAX_FILES].
    /// Also where nothing may leave now: that can change, and until then the resolver says at once that there is no such name.
    static List<SeedFile> files(Optional<TrustSeeds> trust) {
        return Stream.concat(ALWAYS.stream(), trust.stream().flatMap(seeds -> seeds.files().stream()).map(Seeds::file)).toList();
    }

    private static SeedFile file(TrustSeeds.Seed seed) {
        var kind = switch (seed.how()) {
            case CREATE -> SeedFile.Kind.REPLACE;
            case APPEND_IF_EXISTS -> SeedFile.Kind.APPEND_IF_EXISTS;
        };
        return new SeedFile(kind, seed.path(), seed.bytes(), seed.mode());
    }

    /// Of every command: where programs find whom to trust, below what the sandbox's maker says.
    static Map<String, String> variables(Map<String, String> own, Optional<TrustSeeds> trust) {
        var all = new TreeMap<String, String>();
        trust.ifPresent(seeds -> all.putAll(seeds.variables()));
        all.putAll(own);
        return all;
    }
}
