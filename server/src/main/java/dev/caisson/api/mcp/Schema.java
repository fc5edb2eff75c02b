package dev.caisson.api.mcp;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A JSON schema (2020-12) under construction; each step answers a new one.
///
/// @param keys in the order they are shown
record Schema(Map<String, Object> keys) {
    static Schema object() {
        return new Schema(Map.of("type", "object")).with("properties", Map.of()).with("additionalProperties", false);
    }

    static Schema text(int most) {
        return new Schema(Map.of("type", "string")).with("maxLength", most);
    }

    static Schema text() {
        return new Schema(Map.of("type", "string"));
    }

    static Schema words(List<String> choices) {
        return new Schema(Map.of("type", "string")).with("enum", choices);
    }

    static Schema whole(long min, long max) {
        return new Schema(Map.of("type", "integer")).with("minimum", min).with("maximum", max);
    }

    static Schema whole() {
        return new Schema(Map.of("type", "integer"));
    }

    static Schema number() {
        return new Schema(Map.of("type", "number"));
    }

    static Schema truth() {
        return new Schema(Map.of("type", "boolean"));
    }

    static Schema list(Schema of) {
        return new Schema(Map.of("type", "array")).with("items", of.asMap());
    }

    /// Names of the caller's own, with texts.
    static Schema textMap(int most) {
        return new Schema(Map.of("type", "object")).with("additionalProperties", Map.of("type", "string")).with("maxProperties", most);
    }

    static Schema anyOf(Schema... choices) {
        return new Schema(Map.of("anyOf", List.of(choices).stream().map(Schema::asMap).toList()));
    }

    Schema with(String key, Object value) {
        var more = new LinkedHashMap<>(keys);
        more.put(key, value);
        return new Schema(more);
    }

    Schema says(String description) {
        return with("description", description);
    }

    Schema byDefault(Object value) {
        return with("default", value);
    }

    Schema optional(String name, Schema value) {
        var properties = new LinkedHashMap<String, Object>();
        ((Map<?, ?>) keys.getOrDefault("properties", Map.of())).forEach((key, schema) -> properties.put((String) key, schema));
        properties.put(name, value.asMap());
        return with("properties", properties);
    }

    Schema required(String name, Schema value) {
        var names = new ArrayList<Object>((List<?>) keys.getOrDefault("required", List.of()));
        names.add(name);
        return optional(name, value).with("required", names);
    }

    Map<String, Object> asMap() {
        return keys;
    }
}
