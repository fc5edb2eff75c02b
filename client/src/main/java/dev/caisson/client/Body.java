package dev.caisson.client;

import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/// What a request carries.
sealed interface Body {
    record None() implements Body {}

    record Bytes(String type, byte[] bytes) implements Body {}

    /// @param first bytes already taken from the stream, sent before it; at most [Connection#PIECE]
    /// @param length of all of it; -1 when unknown, then it goes in chunks
    record Stream(byte[] first, @Nullable InputStream rest, long length) implements Body {}

    static Body json(Json json) {
        return new Bytes("application/json", json.write().getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }
}
