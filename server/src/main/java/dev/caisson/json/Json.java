package dev.caisson.json;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

/// Writing JSON: the generator, and the values that have a spelling of their own.
///
/// Only Jackson's streaming core is used: its object mapper would cost a front more time at start than everything else in this room.
public final class Json {
    /// Deepest nesting that is read. The records need five.
    public static final int MAX_DEPTH = 16;

    static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxNumberLength(40)
                    .maxNameLength(128 * 1024)
                    .maxStringLength(64 * 1024 * 1024)
                    .build())
            .build();

    private Json() {}

    /// A generator that writes UTF-8; the caller closes it, which closes `out`.
    public static JsonGenerator generator(OutputStream out) {
        return FACTORY.createGenerator(ObjectWriteContext.empty(), out);
    }

    /// A document that is one object with the keys that `keys` writes.
    public static byte[] object(Consumer<JsonGenerator> keys) {
        var bytes = new ByteArrayOutputStream(256);
        try (JsonGenerator out = generator(bytes)) {
            out.writeStartObject();
            keys.accept(out);
            out.writeEndObject();
        }
        return bytes.toByteArray();
    }

    /// Writes a list of objects under a key.
    public static <T> void writeList(JsonGenerator out, String key, List<T> values, Form<T> form) {
        out.writeArrayPropertyStart(key);
        values.forEach(value -> form.write(value, out));
        out.writeEndArray();
    }

    public static void writeTexts(JsonGenerator out, String key, List<String> values) {
        out.writeArrayPropertyStart(key);
        values.forEach(out::writeString);
        out.writeEndArray();
    }

    /// Writes a map in the order of its names, so that equal values have equal documents.
    public static void writeMap(JsonGenerator out, String key, Map<String, String> values) {
        out.writeObjectPropertyStart(key);
        new TreeMap<>(values).forEach(out::writeStringProperty);
        out.writeEndObject();
    }

    /// Writes a duration in milliseconds, exact to the nanosecond.
    public static void writeMillis(JsonGenerator out, String key, Duration value) {
        out.writeNumberProperty(key, plain(seconds(value).movePointRight(3)));
    }

    /// Writes a duration in seconds, exact to the nanosecond.
    public static void writeSeconds(JsonGenerator out, String key, Duration value) {
        out.writeNumberProperty(key, plain(seconds(value)));
    }

    /// The spelling of a constant: lower case, with hyphens.
    public static String label(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static BigDecimal seconds(Duration value) {
        return BigDecimal.valueOf(value.getSeconds()).add(BigDecimal.valueOf(value.getNano(), 9));
    }

    /// Without trailing zeros and without an exponent.
    static BigDecimal plain(BigDecimal value) {
        BigDecimal stripped = value.stripTrailingZeros();
        return stripped.scale() < 0 ? stripped.setScale(0) : stripped;
    }
}
