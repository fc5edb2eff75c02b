package dev.caisson.api.mcp;

import dev.caisson.api.UnreadBody;
import dev.caisson.json.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import tools.jackson.core.JsonGenerator;

/// One HTTP request to the door and its answer.
record HttpCall(Request request, Response response, Callback callback) {
    static final String JSON = "application/json";
    static final String EVENTS = "text/event-stream";

    Optional<String> header(String name) {
        return Optional.ofNullable(request.getHeaders().get(name));
    }

    void responseHeader(HttpHeader name, String value) {
        response.getHeaders().put(name, value);
    }

    boolean accepts(String mediaType) {
        String any = mediaType.substring(0, mediaType.indexOf('/')) + "/*";
        return request.getHeaders().getCSV(HttpHeader.ACCEPT, false).stream().map(HttpCall::bare).anyMatch(range -> range.equals(mediaType) || range.equals(any) || range.equals("*/*"));
    }

    private static String bare(String value) {
        int semicolon = value.indexOf(';');
        return (semicolon < 0 ? value : value.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
    }

    /// The body, which must be JSON of at most `most` bytes.
    byte[] body(int most) throws IOException {
        if (!header("Content-Type").map(HttpCall::bare).orElse("").equals(JSON) || request.getHeaders().contains(HttpHeader.CONTENT_ENCODING)) {
            throw new RefusedException(415, JsonRpc.INVALID_REQUEST, "send one JSON-RPC message with Content-Type: application/json, as it is");
        }
        if (request.getLength() > most) {
            throw tooLarge(most);
        }
        try (InputStream in = Content.Source.asInputStream(request)) {
            byte[] body = in.readNBytes(most + 1);
            if (body.length > most) {
                throw tooLarge(most);
            }
            return body;
        } catch (IOException e) {
            throw new RefusedException(400, JsonRpc.PARSE_ERROR, "the body broke off");
        }
    }

    private static RefusedException tooLarge(int most) {
        return new RefusedException(413, JsonRpc.INVALID_REQUEST, "a message is at most " + most + " bytes: write large files in pieces");
    }

    void allowOrigin(String origin) {
        response.getHeaders().put("Access-Control-Allow-Origin", origin);
        response.getHeaders().put("Access-Control-Expose-Headers", "Mcp-Session-Id");
        response.getHeaders().put(HttpHeader.VARY, "Origin");
    }

    void preflight() {
        response.setStatus(204);
        response.getHeaders().put("Access-Control-Allow-Methods", "DELETE, POST");
        response.getHeaders().put("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Mcp-Protocol-Version, Mcp-Session-Id");
        response.getHeaders().put("Access-Control-Max-Age", "600");
        callback.succeeded();
    }

    void json(byte[] document) {
        head(200, document.length);
        response.write(true, ByteBuffer.wrap(document), callback);
    }

    /// Taken, and nothing to say.
    void accepted() {
        response.setStatus(202);
        callback.succeeded();
    }

    /// Tells an error as HTTP and as JSON-RPC know it, without the request's id, which may not have been read.
    void error(int status, int code, String message) {
        var document = new ByteArrayOutputStream();
        try (JsonGenerator out = Json.generator(document)) {
            out.writeStartObject();
            out.writeStringProperty("jsonrpc", "2.0");
            out.writeNullProperty("id");
            out.writeObjectPropertyStart("error");
            out.writeNumberProperty("code", code);
            out.writeStringProperty("message", message);
            out.writeEndObject();
            out.writeEndObject();
        }
        head(status, document.size());
        UnreadBody.answer(request, response, callback, document.toByteArray());
    }

    private void head(int status, int length) {
        response.setStatus(status);
        responseHeader(HttpHeader.CONTENT_TYPE, JSON);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, length);
    }
}
