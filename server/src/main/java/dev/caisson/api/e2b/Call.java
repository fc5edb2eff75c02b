package dev.caisson.api.e2b;

import dev.caisson.api.Query;
import dev.caisson.api.UnreadBody;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.function.Consumer;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;

/// One request and its answer.
///
/// Threads: the request's own.
record Call(Request request, Response response, Callback callback) {
    static final String JSON = "application/json";
    /// Largest JSON document taken. Unit: bytes.
    static final int MAX_JSON_BYTES = 16 * 1024 * 1024;

    Query query() {
        return Query.parse(request.getHttpURI().getQuery());
    }

    /// A header's text; empty when it is not there.
    String header(String name) {
        String value = request.getHeaders().get(name);
        return value == null ? "" : value.strip();
    }

    /// The media type of the body in lower case, without parameters; empty when none is told.
    String mediaType() {
        String value = header(HttpHeader.CONTENT_TYPE.asString());
        int semicolon = value.indexOf(';');
        return (semicolon < 0 ? value : value.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
    }

    /// The body as one JSON object, of whose keys unknown ones are passed over; no body is an object without keys.
    JsonObject json() throws IOException {
        byte[] document = document();
        return document.length == 0 ? JsonObject.empty() : JsonObject.parse(document);
    }

    private byte[] document() throws IOException {
        if (request.getLength() > MAX_JSON_BYTES) {
            throw tooLarge();
        }
        try (InputStream in = body()) {
            byte[] document = in.readNBytes(MAX_JSON_BYTES + 1);
            if (document.length > MAX_JSON_BYTES) {
                throw tooLarge();
            }
            return document;
        }
    }

    private static Refusal tooLarge() {
        return new Refusal(413, "the body is larger than " + MAX_JSON_BYTES + " bytes");
    }

    /// The body's bytes as they come. Closing it does nothing: the connection is still needed to say what became of the call.
    InputStream body() {
        return new FilterInputStream(Content.Source.asInputStream(request)) {
            @Override
            public int read(byte[] into, int offset, int length) throws IOException {
                return in.read(into, offset, length);
            }

            @Override
            public void close() {
                // The server ends what nobody has read.
            }
        };
    }

    void put(String name, String value) {
        response.getHeaders().put(name, value);
    }

    void json(int status, Consumer<JsonGenerator> keys) {
        bytes(status, JSON, Json.object(keys));
    }

    void bytes(int status, String mediaType, byte[] content) {
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, mediaType);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, content.length);
        response.write(true, ByteBuffer.wrap(content), callback);
    }

    void empty(int status) {
        response.setStatus(status);
        callback.succeeded();
    }

    /// Answers with a document that may be large, written as it is made.
    void stream(int status, Consumer<JsonGenerator> document) throws IOException {
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, JSON);
        try (var out = Response.asBufferedOutputStream(request, response); JsonGenerator generator = Json.generator(out)) {
            document.accept(generator);
        }
        callback.succeeded();
    }

    void refuse(Refusal refusal) {
        restart();
        refusal.contentRange().ifPresent(range -> put(HttpHeader.CONTENT_RANGE.asString(), range));
        say(refusal.status(), refusal.bytes(), refusal.isWorthARetry());
    }

    void refuse(int status, byte[] document, boolean retry) {
        restart();
        say(status, document, retry);
    }

    private void say(int status, byte[] document, boolean retry) {
        if (!retry) {
            put("Should-Retry", "false");
        }
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, JSON);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, document.length);
        UnreadBody.answer(request, response, callback, document);
    }

    /// Takes back what was said so far, but for what browsers need to be let see the answer.
    private void restart() {
        @Nullable String origin = response.getHeaders().get(HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN);
        response.reset();
        if (origin != null) {
            response.getHeaders().put(HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
}
