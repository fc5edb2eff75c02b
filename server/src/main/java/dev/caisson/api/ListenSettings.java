package dev.caisson.api;

import dev.caisson.sandbox.Failure;
import java.net.InetSocketAddress;
import java.time.Duration;

/// How the port is set up.
///
/// @param listen address and port; port 0 takes a free one
/// @param idle a connection on which nothing moves for so long is closed; streams are excepted. 100 ms to 1 h
/// @param head of a request over HTTP/1.1 has to arrive within so long of its first byte. 100 ms to 1 h
/// @param connections open at a time; more wait in the listen queue. 1 to 65,536
public record ListenSettings(InetSocketAddress listen, Duration idle, Duration head, int connections) {
    /// Request line and headers together. Unit: bytes.
    public static final int MAX_HEADER_BYTES = 32 * 1024;

    public ListenSettings {
        inRange("idle time", idle, Duration.ofMillis(100), Duration.ofHours(1));
        inRange("time for a head", head, Duration.ofMillis(100), Duration.ofHours(1));
        if (connections < 1 || connections > 65_536) {
            throw Failure.Code.OUT_OF_RANGE.with("the bound on connections must be 1 to 65536, got " + connections, "set it in that range");
        }
    }

    /// Idle connections closed after 75 s, a head within 20 s, 4,096 connections.
    public static ListenSettings at(InetSocketAddress listen) {
        return new ListenSettings(listen, Duration.ofSeconds(75), Duration.ofSeconds(20), 4_096);
    }

    private static void inRange(String what, Duration value, Duration min, Duration max) {
        if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
            throw Failure.Code.OUT_OF_RANGE.with("the " + what + " must be " + min + " to " + max + ", got " + value, "set it in that range");
        }
    }
}
