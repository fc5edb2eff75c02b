package dev.caisson.json;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;

/// A strict reader of one JSON document into maps, lists, strings, [BigDecimal]s, booleans and nulls.
///
/// Strict means: UTF-8 only and no byte order mark, no comments, no NaN, no repeated key, no half of a surrogate pair, nothing after the value, and bounds
/// on depth, on the length of a number and on how many values there are.
final class JsonTree {
    /// Bounds what a document can cost in memory: the smallest value takes two bytes of text and some forty of heap.
    static final int MAX_VALUES = 4_000_000;

    private final JsonParser parser;
    private int values;

    private JsonTree(JsonParser parser) {
        this.parser = parser;
    }

    static @Nullable Object parse(byte[] document) {
        try (JsonParser parser = Json.FACTORY.createParser(ObjectReadContext.empty(), decoded(document))) {
            var tree = new JsonTree(parser);
            if (parser.nextToken() == null) {
                throw malformed("it is empty");
            }
            Object value = tree.value();
            if (parser.nextToken() != null) {
                throw malformed("there is something after the end of it");
            }
            return value;
        } catch (JacksonException e) {
            var where = e.getLocation();
            throw malformed((where == null ? "" : "line " + where.getLineNr() + ", column " + where.getColumnNr() + ": ") + Failure.shown(String.valueOf(e.getOriginalMessage())));
        }
    }

    private static String decoded(byte[] document) {
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(document)).toString();
            if (text.startsWith("\uFEFF")) {
                throw malformed("it starts with a byte order mark");
            }
            return text;
        } catch (CharacterCodingException _) {
            throw malformed("it is not UTF-8");
        }
    }

    private @Nullable Object value() {
        if (++values > MAX_VALUES) {
            throw malformed("it has more than " + MAX_VALUES + " values");
        }
        return switch (parser.currentToken()) {
            case START_OBJECT -> object();
            case START_ARRAY -> array();
            case VALUE_STRING -> whole(parser.getString());
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> number();
            case VALUE_TRUE -> Boolean.TRUE;
            case VALUE_FALSE -> Boolean.FALSE;
            case VALUE_NULL -> null;
            case NOT_AVAILABLE, END_OBJECT, END_ARRAY, PROPERTY_NAME, VALUE_EMBEDDED_OBJECT -> throw malformed("a value is missing");
        };
    }

    /// An exponent that does not fit an int comes out of the parser as a plain [NumberFormatException].
    private BigDecimal number() {
        try {
            return parser.getDecimalValue();
        } catch (NumberFormatException _) {
            throw malformed("the number " + Failure.shown(parser.getString()) + " has too large an exponent");
        }
    }

    private Map<String, @Nullable Object> object() {
        var map = new LinkedHashMap<String, @Nullable Object>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = whole(parser.currentName());
            if (map.containsKey(name)) {
                throw malformed("the key '" + Failure.shown(name) + "' is there twice");
            }
            parser.nextToken();
            map.put(name, value());
        }
        return map;
    }

    private List<@Nullable Object> array() {
        var list = new ArrayList<@Nullable Object>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            list.add(value());
        }
        return list;
    }

    /// Refuses half of a surrogate pair: it has no UTF-8, so nothing further down could pass it on.
    private static String whole(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                if (Character.isLowSurrogate(c) || i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1))) {
                    throw malformed("a text has half of a surrogate pair");
                }
                i++;
            }
        }
        return text;
    }

    static SandboxException malformed(String why) {
        return Failure.Code.BAD_REQUEST.with("the JSON cannot be read: " + why, "send one JSON object in UTF-8");
    }
}
