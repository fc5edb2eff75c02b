package dev.caisson.json;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/// A strict reader of one YAML document, such as a person keeps in a file, into what JSON has: a [JsonObject] like any other. JSON is YAML.
///
/// Strict means: UTF-8, at most [#MAX_BYTES], one document, no repeated key, no anchors and aliases, no deeper than JSON may be.
public final class Yaml {
    public static final int MAX_BYTES = 1 << 20;
    private static final String QUOTES = "a text that starts with * goes into quotes";
    private static final LoadSettings SETTINGS = LoadSettings.builder().setCodePointLimit(MAX_BYTES).setAllowDuplicateKeys(false).build();

    private Yaml() {}

    /// Reads a document that is one object; an empty one has no keys.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST] that says the line.
    public static JsonObject parse(byte[] document) {
        String text = decoded(document);
        try {
            check(text);
            Object tree = new Load(SETTINGS).loadFromString(text);
            return tree == null ? JsonObject.empty() : JsonObject.of("", plain(tree));
        } catch (YamlEngineException e) {
            throw e instanceof MarkedYamlEngineException marked ? unreadable(marked) : unreadable(Optional.empty(), line(String.valueOf(e.getMessage())));
        }
    }

    private static String decoded(byte[] document) {
        if (document.length > MAX_BYTES) {
            throw unreadable(Optional.empty(), "it is larger than " + MAX_BYTES + " bytes");
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(document)).toString();
        } catch (CharacterCodingException _) {
            throw unreadable(Optional.empty(), "it is not UTF-8");
        }
    }

    /// Event by event, so that no depth and no alias costs anything.
    private static void check(String text) {
        int depth = 0;
        for (Event event : new Parse(SETTINGS).parseString(text)) {
            switch (event.getEventId()) {
                case SequenceStart, MappingStart -> depth++;
                case SequenceEnd, MappingEnd -> depth--;
                case Alias -> throw unreadable(event.getStartMark(), "it has an alias; " + QUOTES);
                default -> {
                    // Says nothing of the shape.
                }
            }
            if (depth > Json.MAX_DEPTH) {
                throw unreadable(event.getStartMark(), "it is nested deeper than " + Json.MAX_DEPTH);
            }
        }
    }

    private static @Nullable Object plain(@Nullable Object value) {
        return switch (value) {
            case null -> null;
            case String text -> text;
            case Boolean truth -> truth;
            case Integer number -> BigDecimal.valueOf(number);
            case Long number -> BigDecimal.valueOf(number);
            case BigInteger number when number.bitLength() <= 128 -> new BigDecimal(number);
            case Double number when Double.isFinite(number) -> BigDecimal.valueOf(number);
            case List<?> list -> {
                var copy = new ArrayList<@Nullable Object>(list.size());
                list.forEach(element -> copy.add(plain(element)));
                yield copy;
            }
            case Map<?, ?> map -> {
                var copy = new LinkedHashMap<String, @Nullable Object>();
                map.forEach((key, element) -> copy.put(name(key), plain(element)));
                yield copy;
            }
            default -> throw unreadable(Optional.empty(), "it has a value that JSON has not: " + Failure.shown(value.toString()));
        };
    }

    private static String name(@Nullable Object key) {
        if (key instanceof String text) {
            return text;
        }
        throw unreadable(Optional.empty(), "the key " + Failure.shown(String.valueOf(key)) + " is not a text; put it into quotes");
    }

    private static SandboxException unreadable(MarkedYamlEngineException e) {
        boolean star = e.getContext() != null && e.getContext().contains("alias");
        return unreadable(e.getProblemMark(), line(e.getProblem()) + (star ? "; " + QUOTES : ""));
    }

    private static String line(String text) {
        return Failure.shown(text.lines().findFirst().orElse(""));
    }

    private static SandboxException unreadable(Optional<Mark> where, String why) {
        return Failure.Code.BAD_REQUEST.with("the YAML cannot be read: " + where.map(mark -> "line " + (mark.getLine() + 1) + ", column " + (mark.getColumn() + 1) + ": ").orElse("") + why,
                "write one YAML or JSON object in UTF-8");
    }
}
