package dev.caisson.egress;

import java.net.InetAddress;
import java.time.Duration;
import java.util.List;

/// What the world says about a name.
sealed interface Resolution {
    /// @param addresses 1 to 64, IPv4 first; none of them judged
    /// @param aliases the names on the way to them, each in its one spelling; at most 16
    /// @param ttl for how long that may be believed, 1 s to 5 min
    record Found(List<InetAddress> addresses, List<String> aliases, Duration ttl) implements Resolution {
        public Found {
            addresses = List.copyOf(addresses);
            aliases = List.copyOf(aliases);
        }
    }

    /// There is no such name, or it has no address.
    record NotThere() implements Resolution {}

    /// Nobody said anything that can be believed.
    record Failed(String reason) implements Resolution {}
}
