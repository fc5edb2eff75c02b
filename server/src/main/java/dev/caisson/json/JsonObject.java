package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// One JSON object from outside, taken key by key; [#end] refuses what nobody took.
///
/// Every error is [Failure.Code#BAD_REQUEST] (or [Failure.Code#OUT_OF_RANGE] for a number) and names the key with its path, such as `spec.cpus`.
/// A key whose value is `null` counts as absent.
/// Threads: one at a time.
public final class JsonObject {
    private final String path;
    private final Map<String, @Nullable Object> values;
    private final Set<String> asked = new LinkedHashSet<>();

    private JsonObject(String path, Map<String, @Nullable Object> values) {
        this.path = path;
        this.values = values;
    }

    /// Reads a document that is one object.
    public static JsonObject parse(byte[] document) {
        return of("", JsonTree.parse(document));
    }

    /// The object of an empty document: no keys.
    public static JsonObject empty() {
        return new JsonObject("", Map.of());
    }

    @SuppressWarnings("unchecked")
    static JsonObject of(String path, @Nullable Object value) {
        if (value instanceof Map<?, ?> map) {
            return new JsonObject(path, (Map<String, @Nullable Object>) map);
        }
        throw bad(path.isEmpty() ? "the document" : "'" + path + "'", "an object", value);
    }

    /// Refuses keys that were not asked for.
    public void end() {
        for (String name : values.keySet()) {
            if (!asked.contains(name)) {
                throw Failure.Code.BAD_REQUEST.with("unknown key '" + Failure.shown(at(name)) + "'", "the keys known here are: " + String.join(", ", asked));
            }
        }
    }

    public boolean has(String key) {
        return value(key) != null;
    }

    public boolean isText(String key) {
        return value(key) instanceof String;
    }

    public String text(String key) {
        return textOr(key).orElseThrow(() -> missing(key));
    }

    public String text(String key, String absent) {
        return textOr(key).orElse(absent);
    }

    public Optional<String> textOr(String key) {
        return switch (value(key)) {
            case null -> Optional.empty();
            case String text -> Optional.of(text);
            case Object other -> throw bad("'" + at(key) + "'", "a text", other);
        };
    }

    /// A text of which the words of an enum are the only choices.
    public <E extends Enum<E>> E word(String key, Class<E> choices) {
        String text = text(key);
        for (E constant : choices.getEnumConstants()) {
            if (Json.label(constant).equals(text)) {
                return constant;
            }
        }
        throw Failure.Code.BAD_REQUEST.with(
                "'" + at(key) + "' cannot be '" + Failure.shown(text) + "'",
                "choose " + String.join(", ", List.of(choices.getEnumConstants()).stream().map(Json::label).toList()));
    }

    public boolean truth(String key, boolean absent) {
        return switch (value(key)) {
            case null -> absent;
            case Boolean truth -> truth;
            case Object other -> throw bad("'" + at(key) + "'", "true or false", other);
        };
    }

    public boolean truth(String key) {
        require(key);
        return truth(key, false);
    }

    /// A whole number from `min` to `max`.
    public long whole(String key, long min, long max) {
        return wholeOr(key, min, max).orElseThrow(() -> missing(key));
    }

    public int whole(String key, int min, int max) {
        return (int) whole(key, (long) min, (long) max);
    }

    public Optional<Long> wholeOr(String key, long min, long max) {
        return number(key).map(number -> {
            if (number.scale() > 0) {
                throw Failure.Code.BAD_REQUEST.with("'" + at(key) + "' must be a whole number", "leave the fraction away");
            }
            if (number.compareTo(BigDecimal.valueOf(min)) < 0 || number.compareTo(BigDecimal.valueOf(max)) > 0) {
                throw outOfRange(key, "must be " + min + " to " + max);
            }
            return number.longValueExact();
        });
    }

    /// A size: a text such as `512MiB`, or a whole number of bytes.
    public Optional<ByteSize> size(String key) {
        return isText(key) ? Optional.of(ByteSize.parse(text(key))) : wholeOr(key, 0, Long.MAX_VALUE).map(ByteSize::new);
    }

    /// A number with or without a fraction, of sane size: less than 10^20, at most 18 digits behind the point.
    public Optional<BigDecimal> number(String key) {
        return switch (value(key)) {
            case null -> Optional.empty();
            case BigDecimal number -> {
                if (number.signum() != 0 && (number.scale() > 18 || number.precision() - number.scale() > 20)) {
                    throw outOfRange(key, "is too large, or too fine");
                }
                yield Optional.of(Json.plain(number));
            }
            case Object other -> throw bad("'" + at(key) + "'", "a number", other);
        };
    }

    /// A duration given in seconds, 0 or more, exact to the nanosecond.
    public Optional<Duration> seconds(String key) {
        return number(key).map(number -> duration(key, number));
    }

    /// A duration given in milliseconds, 0 or more, exact to the nanosecond.
    public Optional<Duration> millis(String key) {
        return number(key).map(number -> duration(key, number.movePointLeft(3)));
    }

    private Duration duration(String key, BigDecimal seconds) {
        try {
            if (seconds.signum() >= 0) {
                return Duration.ofNanos(seconds.movePointRight(9).longValueExact());
            }
        } catch (ArithmeticException _) {
            // More than 292 years, or parts of a nanosecond: refused below.
        }
        throw outOfRange(key, "must be a duration of whole nanoseconds, 0 or more");
    }

    /// A time in ISO 8601, UTC.
    public Instant time(String key) {
        return timeOr(key).orElseThrow(() -> missing(key));
    }

    public Optional<Instant> timeOr(String key) {
        return textOr(key).map(text -> {
            try {
                return Instant.parse(text);
            } catch (DateTimeParseException _) {
                throw Failure.Code.BAD_REQUEST.with("'" + at(key) + "' is not a time: '" + Failure.shown(text) + "'", "write it like 2026-01-31T12:00:00Z");
            }
        });
    }

    public <T> T object(String key, Form<T> form) {
        return objectOr(key, form).orElseThrow(() -> missing(key));
    }

    public <T> Optional<T> objectOr(String key, Form<T> form) {
        return Optional.ofNullable(value(key)).map(value -> read(at(key), value, form));
    }

    public <T> List<T> objects(String key, Form<T> form) {
        return elements(key, (where, value) -> read(where, value, form)).orElseThrow(() -> missing(key));
    }

    /// A list whose elements are texts, or objects that say more than a text can.
    public <T> Optional<List<T>> either(String key, Function<String, T> ofText, Form<T> ofObject) {
        return elements(key, (where, value) -> switch (value) {
            case String text -> ofText.apply(text);
            case Map<?, ?> map -> read(where, map, ofObject);
            case null, default -> throw bad("'" + where + "'", "a text or an object", value);
        });
    }

    /// A list whose elements are texts, or whole numbers: those come as their digits.
    public Optional<List<String>> textsOrNumbers(String key) {
        return elements(key, (where, value) -> switch (value) {
            case String text -> text;
            case BigDecimal number when number.scale() <= 0 && number.precision() - number.scale() <= 20 -> number.toBigInteger().toString();
            case BigDecimal _ -> throw Failure.Code.OUT_OF_RANGE.with("'" + where + "' must be a whole number of sane size", "give one");
            case null, default -> throw bad("'" + where + "'", "a text or a whole number", value);
        });
    }

    /// The object under a key, for documents whose writers may add keys of their own: whoever takes it decides whether to [#end] it.
    public Optional<JsonObject> child(String key) {
        return Optional.ofNullable(value(key)).map(value -> of(at(key), value));
    }

    public boolean isEmptyList(String key) {
        return value(key) instanceof List<?> list && list.isEmpty();
    }

    public boolean isEmptyObject(String key) {
        return value(key) instanceof Map<?, ?> map && map.isEmpty();
    }

    /// The names there are, in the order of the document.
    public Set<String> names() {
        return Collections.unmodifiableSet(values.keySet());
    }

    public Optional<List<String>> texts(String key) {
        return elements(key, (where, value) -> {
            if (value instanceof String text) {
                return text;
            }
            throw bad("'" + where + "'", "a text", value);
        });
    }

    public Map<String, String> map(String key) {
        return entries(key, o -> o::text);
    }

    /// Names with whole numbers, 0 or more.
    public Map<String, Long> counts(String key) {
        return entries(key, o -> name -> o.whole(name, 0, Long.MAX_VALUE));
    }

    private <T> Map<String, T> entries(String key, Function<JsonObject, Function<String, T>> taker) {
        Object value = value(key);
        if (value == null) {
            return Map.of();
        }
        JsonObject object = of(at(key), value);
        var map = new LinkedHashMap<String, T>();
        object.values.keySet().forEach(name -> map.put(name, taker.apply(object).apply(name)));
        return map;
    }

    private interface Element<T> {
        T read(String where, @Nullable Object value);
    }

    private <T> Optional<List<T>> elements(String key, Element<T> element) {
        return switch (value(key)) {
            case null -> Optional.empty();
            case List<?> list -> {
                var read = new ArrayList<T>(list.size());
                for (Object value : list) {
                    read.add(element.read(at(key) + "[" + read.size() + "]", value));
                }
                yield Optional.of(read);
            }
            case Object other -> throw bad("'" + at(key) + "'", "a list", other);
        };
    }

    private static <T> T read(String where, @Nullable Object value, Form<T> form) {
        JsonObject object = of(where, value);
        T read = form.readKeys(object);
        object.end();
        return read;
    }

    private @Nullable Object value(String key) {
        asked.add(key);
        return values.get(key);
    }

    private void require(String key) {
        if (value(key) == null) {
            throw missing(key);
        }
    }

    private String at(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    public SandboxException missing(String key) {
        return Failure.Code.BAD_REQUEST.with("'" + at(key) + "' is missing", "add it");
    }

    private SandboxException outOfRange(String key, String rule) {
        return Failure.Code.OUT_OF_RANGE.with("'" + at(key) + "' " + rule, "give a number in that range");
    }

    private static SandboxException bad(String what, String wanted, @Nullable Object got) {
        String kind = switch (got) {
            case null -> "null";
            case String _ -> "a text";
            case BigDecimal _ -> "a number";
            case Boolean _ -> "true or false";
            case List<?> _ -> "a list";
            case Object _ -> "an object";
        };
        return Failure.Code.BAD_REQUEST.with(Failure.shown(what) + " must be " + wanted + ", not " + kind, "see /v1/openapi.yaml for its form");
    }
}
