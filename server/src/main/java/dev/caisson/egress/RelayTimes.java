package dev.caisson.egress;

import java.time.Duration;

/// How long a relay waits.
///
/// @param head for the rest of a head once its first byte is there; and for a TLS handshake
/// @param idle between two requests, and for the first
/// @param silent while a request is under way and nothing moves in either direction: models think for minutes
record RelayTimes(Duration head, Duration idle, Duration silent) {
    static final RelayTimes DEFAULT = new RelayTimes(Duration.ofSeconds(10), Duration.ofSeconds(75), Duration.ofMinutes(10));
}
