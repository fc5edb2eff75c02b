package dev.caisson.api.rest;

import dev.caisson.json.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import tools.jackson.core.JsonGenerator;

/// The OpenAPI document: `docs/openapi.yaml`, packed beside this class, and the same as JSON. Read when first asked for.
///
/// Threads: safe for many.
final class ApiDocument {
    private final ReentrantLock lock = new ReentrantLock();
    private byte @Nullable [] yaml;
    private byte @Nullable [] json;

    byte[] yaml() {
        lock.lock();
        try {
            if (yaml == null) {
                yaml = read();
            }
            return yaml;
        } finally {
            lock.unlock();
        }
    }

    byte[] json() {
        lock.lock();
        try {
            if (json == null) {
                var bytes = new ByteArrayOutputStream();
                try (JsonGenerator out = Json.generator(bytes)) {
                    write(out, new Load(LoadSettings.builder().build()).loadFromString(new String(yaml(), StandardCharsets.UTF_8)));
                }
                json = bytes.toByteArray();
            }
            return json;
        } finally {
            lock.unlock();
        }
    }

    private static byte[] read() {
        try (InputStream in = ApiDocument.class.getResourceAsStream("openapi.yaml")) {
            if (in == null) {
                throw new IllegalStateException("openapi.yaml is not on the class path");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(JsonGenerator out, @Nullable Object value) {
        switch (value) {
            case null -> out.writeNull();
            case Map<?, ?> map -> {
                out.writeStartObject();
                map.forEach((key, element) -> {
                    out.writeName(String.valueOf(key));
                    write(out, element);
                });
                out.writeEndObject();
            }
            case List<?> list -> {
                out.writeStartArray();
                list.forEach(element -> write(out, element));
                out.writeEndArray();
            }
            case String text -> out.writeString(text);
            case Boolean truth -> out.writeBoolean(truth);
            case Integer number -> out.writeNumber(number);
            case Long number -> out.writeNumber(number);
            case Double number -> out.writeNumber(number);
            default -> throw new IllegalStateException("openapi.yaml has a value that JSON has not: " + value);
        }
    }
}
