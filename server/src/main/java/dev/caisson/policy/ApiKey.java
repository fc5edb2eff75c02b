package dev.caisson.policy;

import java.time.Instant;
import java.util.Optional;

/// What is known of a key; never its text.
///
/// @param id `k` and 8 hexadecimal digits; not secret
/// @param name for people; may be empty, at most 64 characters
/// @param tenant whose sandboxes it sees
/// @param lastUsed to the minute; empty when never
/// @param revoked since when it is refused; empty while it is good
public record ApiKey(String id, String name, String tenant, Instant created, Optional<Instant> lastUsed, Optional<Instant> revoked) {}
