package dev.caisson.runtime;

import java.time.Duration;

/// What runs in a template's sandboxes before they are anybody's.
///
/// @param command a line for `/bin/sh -c`
/// @param user who runs it
/// @param port it is ready when something listens there, on the sandbox's loopback
/// @param patience how long that may take
public record WarmUp(String command, String user, int port, Duration patience) {
    /// Tag of its command, by which it is found again.
    public static final String TAG = "start";
}
