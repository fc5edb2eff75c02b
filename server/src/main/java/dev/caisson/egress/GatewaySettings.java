package dev.caisson.egress;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;

/// How a gateway was told to behave.
///
/// @param directory the gateway's own: its key, the flow logs, the names that were looked up
/// @param resolvers where names are asked for, the first first; empty: nowhere, so that no name is known
/// @param roots whom hosts outside, whose TLS is opened, may have been signed by
/// @param random unpredictable
public record GatewaySettings(Path directory, List<InetSocketAddress> resolvers, TrustedRoots roots, SealKey key, InstantSource clock, SecureRandom random) {
    public GatewaySettings {
        resolvers = List.copyOf(resolvers);
    }

    Path flows() {
        return directory.resolve("flows");
    }

    Path names() {
        return directory.resolve("names");
    }
}
