package dev.caisson.sandbox;

import java.time.Instant;

/// One attempt of a sandbox to reach something, or many alike: an entry of its flow log.
///
/// @param number rises by one per sandbox, so that a reader sees what it has missed
/// @param began when the first of them began
/// @param ended when the last of them ended; the time of writing while it is open
/// @param host the name it was looked up by; empty when there was none
/// @param address that was dialed, or was to be; empty when it came to none
/// @param port 0 when there was none
/// @param protocol `dns`, `tls`, `http`, `tcp`, `udp`, `icmp` or a protocol's number
/// @param request of HTTP that was looked into, method and path without query; else empty
/// @param rule that decided, such as `request:2` or `operator:default`
/// @param allowed whether it was let through
/// @param reason why not, or how it ended; for people; empty when there is nothing to say
/// @param sent bytes from the sandbox
/// @param received bytes to the sandbox
/// @param count how many alike this entry stands for
public record Flow(
        long number, Instant began, Instant ended, String host, String address, int port, String protocol, String request, String rule, boolean allowed, String reason, long sent, long received,
        long count) {
    public Flow withNumber(long other) {
        return new Flow(other, began, ended, host, address, port, protocol, request, rule, allowed, reason, sent, received, count);
    }
}
