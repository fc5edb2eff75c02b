package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.Output;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/// An output kept in memory; the command's output limit bounds it.
final class Captured implements Output {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public void write(ByteBuffer piece) {
        bytes.write(piece.array(), piece.arrayOffset() + piece.position(), piece.remaining());
    }

    String text() {
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /// As text under `name` when it is UTF-8, as base64 under `name_base64` otherwise.
    void put(String name, Json.Builder into) {
        try {
            into.put(name, StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes.toByteArray())).toString());
        } catch (CharacterCodingException _) {
            into.put(name + "_base64", Base64.getEncoder().encodeToString(bytes.toByteArray()));
        }
    }
}
