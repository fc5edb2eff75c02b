package dev.caisson.runtime;

import java.util.Iterator;
import java.util.List;
import java.util.Map;

/// Writes maps, lists, texts, numbers and truth values as JSON (RFC 8259): all an OCI bundle needs, without loading a library on the way to the first sandbox.
final class Json {
    private Json() {}

    static String of(Object value) {
        var out = new StringBuilder(4096);
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        switch (value) {
            case Map<?, ?> map -> object(map, out);
            case List<?> list -> array(list, out);
            case String text -> text(text, out);
            case Number number -> out.append(number);
            case Boolean truth -> out.append(truth);
            default -> throw new IllegalArgumentException("no JSON for " + value.getClass());
        }
    }

    private static void object(Map<?, ?> map, StringBuilder out) {
        out.append('{');
        var comma = "";
        for (var entry : map.entrySet()) {
            out.append(comma);
            text((String) entry.getKey(), out);
            out.append(':');
            write(entry.getValue(), out);
            comma = ",";
        }
        out.append('}');
    }

    private static void array(List<?> list, StringBuilder out) {
        out.append('[');
        for (Iterator<?> values = list.iterator(); values.hasNext(); ) {
            write(values.next(), out);
            if (values.hasNext()) {
                out.append(',');
            }
        }
        out.append(']');
    }

    private static void text(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
