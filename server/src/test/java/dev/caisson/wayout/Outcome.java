package dev.caisson.wayout;

import dev.caisson.json.JsonObject;
import java.nio.charset.StandardCharsets;

/// What became of one probe.
///
/// @param probe as it was asked for
/// @param ok whether anything came back
/// @param got what; one character a byte
/// @param error why nothing did; empty when something did
/// @param millis how long that took
record Outcome(String probe, boolean ok, String got, String error, long millis) {
    static Outcome parse(String line) {
        var object = JsonObject.parse(line.getBytes(StandardCharsets.UTF_8));
        return new Outcome(object.text("probe"), object.truth("ok"), object.text("got"), object.text("error"), object.whole("ms", 0L, 1_000_000L));
    }
}
