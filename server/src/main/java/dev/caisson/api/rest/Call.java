package dev.caisson.api.rest;

import dev.caisson.api.Query;
import dev.caisson.api.UnreadBody;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Caller;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;

/// One request and its answer, as a handler of a resource sees them.
///
/// Threads: the request's own; [dev.caisson.api.LiveBody] says what another may do.
final class Call {
    static final String JSON = "application/json";
    private final Request request;
    private final Response response;
    private final Callback callback;
    private final Map<String, String> path;
    private final Query query;
    private final Caller caller;

    Call(Request request, Response response, Callback callback, Map<String, String> path, Query query, Caller caller) {
        this.request = request;
        this.response = response;
        this.callback = callback;
        this.path = path;
        this.query = query;
        this.caller = caller;
    }

    Request request() {
        return request;
    }

    Response response() {
        return response;
    }

    Callback callback() {
        return callback;
    }

    Query query() {
        return query;
    }

    Caller caller() {
        return caller;
    }

    String parameter(String name) {
        String value = path.get(name);
        if (value == null) {
            throw new IllegalStateException("the route has no {" + name + "}");
        }
        return value;
    }

    SandboxId sandbox() {
        return new SandboxId(parameter("id"));
    }

    CommandId command() {
        return new CommandId(parameter("cid"));
    }

    /// The `path` of the query: there, and without NUL.
    String file() {
        return checkedPath("path", query.text("path").orElse(""));
    }

    String user() {
        String user = query.text("user").orElse("");
        if (user.length() > 64 || user.indexOf('\0') >= 0) {
            throw Failure.Code.BAD_REQUEST.with("not a user name: '" + Failure.shown(user) + "'", "name a user of the template, such as user or root");
        }
        return user;
    }

    static String checkedPath(String name, String path) {
        if (path.isEmpty()) {
            throw Failure.Code.BAD_REQUEST.with("'" + name + "' is missing", "name a file of the sandbox");
        }
        if (path.indexOf('\0') >= 0) {
            throw Failure.Code.BAD_REQUEST.with("'" + name + "' contains a NUL character", "no file can have such a name");
        }
        if (path.length() > 4096) {
            throw Failure.Code.OUT_OF_RANGE.with("'" + name + "' is longer than 4096 characters", "change to a directory nearer to it and give the rest");
        }
        return path;
    }

    /// The body as one JSON object; an empty body is an object without keys.
    JsonObject json() throws IOException {
        String type = media(HttpHeader.CONTENT_TYPE);
        if (request.getLength() == 0 || request.getLength() < 0 && type.isEmpty() && !request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING)) {
            return JsonObject.empty();
        }
        if (!type.equals(JSON)) {
            throw new ProblemException(Problem.http(415, "unsupported-media-type", type.isEmpty() ? "the body has no Content-Type" : "the body is " + Failure.shown(type), "send JSON with Content-Type: application/json"));
        }
        if (request.getHeaders().contains(HttpHeader.CONTENT_ENCODING)) {
            throw new ProblemException(Problem.http(415, "unsupported-media-type", "the body is encoded as " + Failure.shown(request.getHeaders().get(HttpHeader.CONTENT_ENCODING)), "send it as it is"));
        }
        if (request.getLength() > RestDoor.MAX_JSON_BYTES) {
            throw tooLarge();
        }
        try (InputStream in = body()) {
            byte[] document = in.readNBytes(RestDoor.MAX_JSON_BYTES + 1);
            if (document.length > RestDoor.MAX_JSON_BYTES) {
                throw tooLarge();
            }
            return document.length == 0 ? JsonObject.empty() : JsonObject.parse(document);
        }
    }

    private static ProblemException tooLarge() {
        return new ProblemException(Problem.http(413, "too-large", "the JSON body is larger than " + RestDoor.MAX_JSON_BYTES + " bytes", "send large data as a file or through stdin"));
    }

    /// The body's bytes as they come.
    InputStream body() {
        return Content.Source.asInputStream(request);
    }

    /// True when the caller's `Accept` names this media type.
    boolean accepts(String mediaType) {
        return request.getHeaders().getCSV(HttpHeader.ACCEPT, false).stream().anyMatch(range -> bare(range).equals(mediaType));
    }

    /// Refuses a caller whose `Accept` rules out all of these.
    void acceptsOneOf(String... mediaTypes) {
        var ranges = request.getHeaders().getCSV(HttpHeader.ACCEPT, false);
        if (ranges.isEmpty()) {
            return;
        }
        for (String mediaType : mediaTypes) {
            for (String range : ranges) {
                String bare = bare(range);
                if (bare.equals(mediaType) || bare.equals("*/*") || bare.endsWith("/*") && mediaType.startsWith(bare.substring(0, bare.length() - 1))) {
                    return;
                }
            }
        }
        throw new ProblemException(Problem.http(406, "not-acceptable", "this is answered as " + String.join(" or ", mediaTypes), "name one of them in Accept"));
    }

    private String media(HttpHeader header) {
        String value = request.getHeaders().get(header);
        return value == null ? "" : bare(value);
    }

    private static String bare(String value) {
        int semicolon = value.indexOf(';');
        return (semicolon < 0 ? value : value.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
    }

    void header(String name, String value) {
        response.getHeaders().put(name, value);
    }

    void json(int status, byte[] document) {
        bytes(status, JSON, document);
    }

    void bytes(int status, String mediaType, byte[] content) {
        head(status, mediaType, content);
        response.write(true, ByteBuffer.wrap(content), callback);
    }

    private void head(int status, String mediaType, byte[] content) {
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, mediaType);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, content.length);
    }

    void empty() {
        response.setStatus(204);
        callback.succeeded();
    }

    /// Answers with one JSON object too large to be held as bytes a second time.
    void largeJson(Consumer<JsonGenerator> keys) throws IOException {
        response.setStatus(200);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, JSON);
        try (var out = Response.asBufferedOutputStream(request, response); JsonGenerator generator = Json.generator(out)) {
            generator.writeStartObject();
            keys.accept(generator);
            generator.writeEndObject();
        }
        callback.succeeded();
    }

    void problem(Problem problem, @Nullable Iterable<String> allowed) {
        response.reset();
        if (allowed != null) {
            header("Allow", String.join(", ", allowed));
        }
        if (problem.status() == 401) {
            header("WWW-Authenticate", "Bearer");
        }
        byte[] document = problem.bytes();
        head(problem.status(), Problem.MEDIA_TYPE, document);
        UnreadBody.answer(request, response, callback, document);
    }
}
