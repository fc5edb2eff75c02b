package dev.caisson.client;

import java.time.Instant;

/// One attempt of a sandbox to reach something, or many alike.
///
/// @param number rises by one per sandbox, so that a reader sees what it has missed
/// @param ended the time of writing while it is open
/// @param host the name it was looked up by; empty when there was none
/// @param address that was dialed, or was to be; empty when it came to none
/// @param port 0 when there was none
/// @param protocol `dns`, `tls`, `http`, `tcp`, `udp`, `icmp` or a protocol's number
/// @param request of HTTP that was looked into, method and path without query; else empty
/// @param rule that decided, such as `request:2`
/// @param reason why not, or how it ended; empty when there is nothing to say
/// @param sent bytes from the sandbox
/// @param received bytes to the sandbox
/// @param count how many alike this stands for
/// @param json all that the installation said of it
public record Flow(
        long number, Instant began, Instant ended, String host, String address, int port, String protocol, String request, String rule, boolean allowed, String reason, long sent, long received,
        long count, Json.Obj json) {
    static Flow of(Json.Obj json) {
        return Answers.read(json, () -> new Flow(
                json.whole("number"), Instant.parse(json.text("began_at")), Instant.parse(json.text("ended_at")), json.text("host", ""), json.text("address", ""), whole(json, "port", 0),
                json.text("protocol"), json.text("request", ""), json.text("rule", ""), json.bool("allowed"), json.text("reason", ""), json.whole("sent_bytes"), json.whole("received_bytes"),
                whole(json, "count", 1), json));
    }

    private static int whole(Json.Obj json, String name, int absent) {
        return json.find(name).isEmpty() ? absent : (int) json.whole(name);
    }
}
