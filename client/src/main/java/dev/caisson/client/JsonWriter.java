package dev.caisson.client;

/// Writes a JSON value; with an indent of 0 or more on many lines.
final class JsonWriter {
    private JsonWriter() {}

    static void write(Json value, StringBuilder out, int indent) {
        switch (value) {
            case Json.Text(var text) -> quote(text, out);
            case Json.Number(var spelling) -> out.append(spelling);
            case Json.Bool(var yes) -> out.append(yes);
            case Json.Null() -> out.append("null");
            case Json.Array(var values) -> {
                out.append('[');
                int count = 0;
                for (Json each : values) {
                    separate(out, indent, count++);
                    write(each, out, indent < 0 ? -1 : indent + 1);
                }
                end(out, indent, count, ']');
            }
            case Json.Obj(var members) -> {
                out.append('{');
                int count = 0;
                for (var member : members.entrySet()) {
                    separate(out, indent, count++);
                    quote(member.getKey(), out);
                    out.append(indent < 0 ? ":" : ": ");
                    write(member.getValue(), out, indent < 0 ? -1 : indent + 1);
                }
                end(out, indent, count, '}');
            }
        }
    }

    private static void separate(StringBuilder out, int indent, int count) {
        if (count > 0) {
            out.append(',');
        }
        if (indent >= 0) {
            out.append('\n').repeat("  ", indent + 1);
        }
    }

    private static void end(StringBuilder out, int indent, int count, char bracket) {
        if (indent >= 0 && count > 0) {
            out.append('\n').repeat("  ", indent);
        }
        out.append(bracket);
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    // Half a surrogate pair is not text; written plainly it would become '?' on the way to UTF-8.
                    if (c < 0x20 || c == 0x7f || c == 0x2028 || c == 0x2029 || Character.isSurrogate(c) && !paired(text, i)) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    private static boolean paired(String text, int i) {
        return Character.isHighSurrogate(text.charAt(i))
                ? i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))
                : i > 0 && Character.isHighSurrogate(text.charAt(i - 1));
    }
}
