package dev.caisson.api;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The parameters behind the question mark, strictly decoded: UTF-8 or refused (a replacement character would name another file), a name given twice refused
/// unless the route takes lists. `+` is a space, as in forms.
public final class Query {
    public static final Query NONE = new Query(Map.of());
    private static final int MAX_PARAMETERS = 64;
    private final Map<String, List<String>> values;

    private Query(Map<String, List<String>> values) {
        this.values = values;
    }

    /// Refuses names that are not `known`.
    public static Query parse(@Nullable String raw, Set<String> known) {
        Query query = parse(raw);
        for (String name : query.values.keySet()) {
            if (!known.contains(name)) {
                throw refused("unknown query parameter '" + Failure.shown(name) + "'", known.isEmpty() ? "none is known here" : "known here: " + String.join(", ", known.stream().sorted().toList()));
            }
        }
        return query;
    }

    /// Takes any names, for dialects whose clients may send more than is known here.
    public static Query parse(@Nullable String raw) {
        var values = new LinkedHashMap<String, List<String>>();
        if (raw == null || raw.isEmpty()) {
            return new Query(values);
        }
        String[] parts = raw.split("&", MAX_PARAMETERS + 1);
        if (parts.length > MAX_PARAMETERS) {
            throw refused("there are more than " + MAX_PARAMETERS + " query parameters", "give fewer");
        }
        for (String part : parts) {
            int equals = part.indexOf('=');
            String name = decoded(equals < 0 ? part : part.substring(0, equals));
            values.computeIfAbsent(name, _ -> new ArrayList<>()).add(equals < 0 ? "" : decoded(part.substring(equals + 1)));
        }
        return new Query(values);
    }

    public List<String> all(String name) {
        return values.getOrDefault(name, List.of());
    }

    public Optional<String> text(String name) {
        List<String> all = all(name);
        if (all.size() > 1) {
            throw refused("the query parameter '" + name + "' is there " + all.size() + " times", "give it once");
        }
        return all.stream().findFirst();
    }

    public boolean truth(String name, boolean absent) {
        return text(name).map(text -> switch (text) {
            case "true" -> true;
            case "false" -> false;
            default -> throw refused("'" + name + "' must be true or false, not '" + Failure.shown(text) + "'", "write one of the two");
        }).orElse(absent);
    }

    public long whole(String name, long min, long max, long absent) {
        Optional<String> text = text(name);
        if (text.isEmpty()) {
            return absent;
        }
        String digits = text.get();
        if (digits.matches("-?[0-9]{1,18}")) {
            long number = Long.parseLong(digits);
            if (number >= min && number <= max) {
                return number;
            }
        }
        throw Failure.Code.OUT_OF_RANGE.with("'" + name + "' must be a whole number from " + min + " to " + max + ", not '" + Failure.shown(digits) + "'", "give a number in that range");
    }

    private static String decoded(String raw) {
        var bytes = new ByteArrayOutputStream(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c == '%') {
                int high = i + 3 <= raw.length() ? Character.digit(raw.charAt(i + 1), 16) : -1;
                int low = i + 3 <= raw.length() ? Character.digit(raw.charAt(i + 2), 16) : -1;
                if (high < 0 || low < 0) {
                    throw refused("the query has a '%' without two hexadecimal digits behind it", "encode it as %25");
                }
                bytes.write(high << 4 | low);
                i += 2;
            } else if (c < 0x80) {
                bytes.write(c == '+' ? ' ' : c);
            } else {
                bytes.writeBytes(String.valueOf(c).getBytes(StandardCharsets.UTF_8));
            }
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes.toByteArray())).toString();
        } catch (CharacterCodingException _) {
            throw refused("the query is not UTF-8", "percent-encode UTF-8; names of files that are not UTF-8 can be reached through a command");
        }
    }

    private static SandboxException refused(String message, String remedy) {
        return Failure.Code.BAD_REQUEST.with(message, remedy);
    }
}
