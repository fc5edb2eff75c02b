package dev.caisson.client;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A JSON value (RFC 8259), read strictly and written exactly.
///
/// Threads: immutable.
public sealed interface Json {
    /// Deeper nesting is refused when read.
    int MAX_DEPTH = 32;

    record Text(String value) implements Json {}

    /// A number in its own spelling, so that nothing is rounded on the way through.
    record Number(String spelling) implements Json {}

    record Bool(boolean value) implements Json {}

    record Null() implements Json {}

    record Array(List<Json> values) implements Json {
        public Array {
            values = List.copyOf(values);
        }
    }

    /// Members in the order they came; a repeated name is refused when read.
    record Obj(Map<String, Json> members) implements Json {
        public Obj {
            members = new LinkedHashMap<>(members);
        }

        /// The member of that name; empty when it is absent or `null`.
        public Optional<Json> find(String name) {
            var value = members.get(name);
            return value == null || value instanceof Null ? Optional.empty() : Optional.of(value);
        }

        public String text(String name) {
            return find(name).map(value -> value instanceof Text(var text) ? text : fail(name, "text")).orElseGet(() -> fail(name, "text"));
        }

        public String text(String name, String otherwise) {
            return find(name).isEmpty() ? otherwise : text(name);
        }

        public long whole(String name) {
            return decimal(name).longValue();
        }

        public double number(String name) {
            return decimal(name).doubleValue();
        }

        public boolean bool(String name) {
            return find(name).map(value -> value instanceof Bool(var yes) ? yes : fail(name, "true or false")).orElse(false);
        }

        public Obj object(String name) {
            return find(name).map(value -> value instanceof Obj object ? object : fail(name, "an object")).orElseGet(() -> fail(name, "an object"));
        }

        public List<Json> list(String name) {
            return find(name).map(value -> value instanceof Array(var values) ? values : fail(name, "a list")).orElseGet(() -> fail(name, "a list"));
        }

        /// An object whose members are texts; empty when it is absent.
        public Map<String, String> texts(String name) {
            var texts = new LinkedHashMap<String, String>();
            if (find(name).isPresent()) {
                var object = object(name);
                object.members().keySet().forEach(key -> texts.put(key, object.text(key)));
            }
            return texts;
        }

        private BigDecimal decimal(String name) {
            return find(name).map(value -> value instanceof Number(var digits) ? new BigDecimal(digits) : fail(name, "a number"))
                    .orElseGet(() -> fail(name, "a number"));
        }

        private static <T> T fail(String name, String wanted) {
            throw new IllegalArgumentException("'" + name + "' is not " + wanted);
        }
    }

    static Json of(String value) {
        return new Text(value);
    }

    static Json of(long value) {
        return new Number(Long.toString(value));
    }

    /// A finite number, without the trailing zeros.
    static Json of(double value) {
        return new Number(value == Math.rint(value) && Math.abs(value) < 1e15 ? Long.toString((long) value) : BigDecimal.valueOf(value).toPlainString());
    }

    static Json of(boolean value) {
        return new Bool(value);
    }

    static Json of(List<String> values) {
        return new Array(values.stream().map(Json::of).toList());
    }

    static Json of(Map<String, String> values) {
        var object = object();
        values.forEach((name, value) -> object.put(name, of(value)));
        return object.done();
    }

    /// Starts an object: `Json.object().put("a", …).done()`.
    static Builder object() {
        return new Builder();
    }

    /// Collects the members of one object. One thread at a time.
    final class Builder {
        private final Map<String, Json> members = new LinkedHashMap<>();

        public Builder put(String name, Json value) {
            members.put(name, value);
            return this;
        }

        public Builder put(String name, String value) {
            return put(name, of(value));
        }

        public Builder put(String name, long value) {
            return put(name, of(value));
        }

        public Builder put(String name, double value) {
            return put(name, of(value));
        }

        public Builder put(String name, boolean value) {
            return put(name, of(value));
        }

        public Obj done() {
            return new Obj(members);
        }
    }

    /// Reads one value and nothing after it.
    ///
    /// Errors: [IllegalArgumentException] with the position, for anything RFC 8259 does not allow, a repeated name, or more than [#MAX_DEPTH] levels.
    static Json parse(String text) {
        return new JsonReader(text).read();
    }

    /// Reads one object; anything else is refused.
    static Obj parseObject(String text) {
        if (parse(text) instanceof Obj object) {
            return object;
        }
        throw new IllegalArgumentException("not a JSON object");
    }

    /// On one line, without spaces.
    default String write() {
        var out = new StringBuilder();
        JsonWriter.write(this, out, -1);
        return out.toString();
    }

    /// On many lines, two spaces a level, for people.
    default String pretty() {
        var out = new StringBuilder();
        JsonWriter.write(this, out, 0);
        return out.toString();
    }

    /// Collects values into an array.
    static Array array(Iterable<? extends Json> values) {
        var all = new ArrayList<Json>();
        values.forEach(all::add);
        return new Array(all);
    }
}
