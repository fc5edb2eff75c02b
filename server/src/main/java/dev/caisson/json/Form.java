package dev.caisson.json;

import java.io.ByteArrayOutputStream;
import tools.jackson.core.JsonGenerator;

/// How values of one type are written as a JSON object, and read back.
///
/// Threads: safe for many.
public interface Form<T> {
    /// Writes the keys of a value, without the braces, so that a caller can add some of its own.
    void writeKeys(T value, JsonGenerator out);

    /// Takes the keys of a value; whoever opened the object closes it with [JsonObject#end].
    ///
    /// Errors: [dev.caisson.sandbox.Failure.Code#BAD_REQUEST] for a key that is missing or of the wrong kind, and whatever the record itself refuses.
    T readKeys(JsonObject in);

    default void write(T value, JsonGenerator out) {
        out.writeStartObject();
        writeKeys(value, out);
        out.writeEndObject();
    }

    /// The whole document of one value, in UTF-8.
    default byte[] bytes(T value) {
        var bytes = new ByteArrayOutputStream(512);
        try (JsonGenerator out = Json.generator(bytes)) {
            write(value, out);
        }
        return bytes.toByteArray();
    }

    /// Reads a document that is one value and nothing else.
    ///
    /// Errors: as [#readKeys], and for anything that is not strict JSON.
    default T read(byte[] document) {
        JsonObject in = JsonObject.parse(document);
        T value = readKeys(in);
        in.end();
        return value;
    }
}
