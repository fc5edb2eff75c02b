package dev.caisson.api.e2b;

import dev.caisson.api.Query;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.SandboxTokens.Purpose;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.MultiPart;
import org.jspecify.annotations.Nullable;

/// `/files`: bytes of files out of a sandbox and into it, by token or by a signed link.
final class FilesEndpoint {
    private static final int MAX_SOURCES = 10_000;
    private final Guest guest;
    private final SandboxTokens tokens;
    private final InstantSource clock;

    FilesEndpoint(Sandboxes sandboxes, SandboxTokens tokens, InstantSource clock) {
        this.guest = new Guest(sandboxes);
        this.tokens = tokens;
        this.clock = clock;
    }

    void answer(Session session) throws IOException {
        switch (session.http().request().getMethod()) {
            case "GET", "HEAD" -> read(session);
            case "POST" -> write(session);
            default -> throw new Refusal(405, "this path is asked with GET or POST");
        }
    }

    /// Lets whoever has the token through, and whoever has a signature of just this.
    private void authorize(Session session, Query query, String operation) {
        String token = session.http().header("X-Access-Token");
        if (!token.isEmpty()) {
            if (!tokens.matches(token, session.id(), Purpose.CONTROL)) {
                throw new Refusal(401, "the access token is not valid for this sandbox");
            }
            return;
        }
        String given = query.text("signature").orElse("");
        if (given.isEmpty()) {
            throw new Refusal(401, "missing signature query parameter");
        }
        String expiration = query.text("signature_expiration").orElse("");
        if (!expiration.matches("[0-9]{0,15}")) {
            throw new Refusal(401, "invalid signature expiration");
        }
        if (!Signature.matches(given, signature(query, operation, session.id()))) {
            throw new Refusal(401, "invalid signature");
        }
        if (!expiration.isEmpty() && Long.parseLong(expiration) < clock.instant().getEpochSecond()) {
            throw new Refusal(401, "signature is already expired");
        }
    }

    private String signature(Query query, String operation, SandboxId id) {
        String expiration = query.text("signature_expiration").orElse("");
        return Signature.of(query.text("path").orElse(""), operation, query.text("username").orElse(""), tokens.token(id, Purpose.CONTROL), expiration);
    }

    /// Whether a link's signature was made with this sandbox's token; says nothing of whether it is still good.
    boolean isSigned(Query query, String method, SandboxId id) {
        return Signature.matches(query.text("signature").orElse(""), signature(query, method.equals("POST") ? "write" : "read", id));
    }

    private static String user(Query query) {
        return query.text("username").filter(user -> !user.isEmpty()).orElse(Session.DEFAULT_USER);
    }

    private void read(Session session) throws IOException {
        Query query = session.http().query();
        authorize(session, query, "read");
        String user = user(query);
        Files files = guest.files(session.id());
        String path = naming(user, () -> GuestPaths.absolute(files, query.text("path").orElse(""), user));
        FileInfo info = naming(user, () -> found(files, path, user));
        new Download(session.http(), files, path, user, info).answer();
    }

    private static FileInfo found(Files files, String path, String user) {
        FileInfo info;
        try {
            info = files.stat(path, user);
        } catch (SandboxException e) {
            throw switch (e.code()) {
                case FILE_NOT_FOUND, NOT_A_DIRECTORY -> new Refusal(404, "path '" + Failure.shown(path, 4096) + "' does not exist");
                default -> e;
            };
        }
        if (Guest.resolvedKind(info) == FileInfo.Kind.DIRECTORY) {
            throw new Refusal(400, "path '" + Failure.shown(path, 4096) + "' is a directory");
        }
        return info;
    }

    private void write(Session session) throws IOException {
        Query query = session.http().query();
        authorize(session, query, "write");
        String user = user(query);
        var metadata = FileMetadata.of(session.http().request().getHeaders());
        List<FileInfo> written;
        try (InputStream body = decoded(session.http())) {
            written = switch (session.http().mediaType()) {
                case "application/octet-stream" -> {
                    String path = query.text("path").filter(text -> !text.isEmpty()).orElseThrow(() -> new Refusal(400, "the query parameter path is missing"));
                    yield List.of(put(session, resolved(session, path, user), user, metadata, body));
                }
                case "multipart/form-data" -> parts(session, query.text("path").filter(path -> !path.isEmpty()), user, metadata, body);
                default -> throw new Refusal(400, "the body must be multipart/form-data or application/octet-stream");
            };
        } catch (ZipException e) {
            throw new Refusal(400, "the body is not gzip as its header says");
        }
        session.http().stream(200, out -> {
            out.writeStartArray();
            for (FileInfo info : written) {
                out.writeStartObject();
                out.writeStringProperty("path", info.path());
                out.writeStringProperty("name", info.name());
                out.writeStringProperty("type", "file");
                if (!metadata.isEmpty()) {
                    Json.writeMap(out, "metadata", metadata);
                }
                out.writeEndObject();
            }
            out.writeEndArray();
        });
    }

    private static InputStream decoded(Call call) throws IOException {
        return switch (call.header(HttpHeader.CONTENT_ENCODING.asString())) {
            case "", "identity" -> call.body();
            case "gzip" -> new GZIPInputStream(call.body(), 64 * 1024);
            default -> throw new Refusal(400, "the encoding of the body is not known; gzip is");
        };
    }

    private String resolved(Session session, String path, String user) {
        return naming(user, () -> GuestPaths.absolute(guest.files(session.id()), path, user));
    }

    private FileInfo put(Session session, String path, String user, Map<String, String> metadata, InputStream content) throws IOException {
        var body = new BlamedInput(content);
        try {
            return naming(user, () -> guest.files(session.id()).write(path, user, -1, metadata, body));
        } catch (SandboxException e) {
            body.rethrowOwnFailure();
            throw switch (e.code()) {
                case IS_A_DIRECTORY -> new Refusal(400, "path is a directory: " + Failure.shown(path, 4096));
                case DISK_FULL -> new Refusal(507, "not enough disk space available");
                default -> e;
            };
        }
    }

    /// @param path of the query, which counts more than the name of a part when there is one part; the parts come one by one, so it is given to the first
    private List<FileInfo> parts(Session session, Optional<String> path, String user, Map<String, String> metadata, InputStream body) throws IOException {
        @Nullable String boundary = MultiPart.extractBoundary(session.http().header(HttpHeader.CONTENT_TYPE.asString()));
        if (boundary == null) {
            throw new Refusal(400, "the Content-Type has no boundary");
        }
        var parts = new MultipartBody(body, boundary);
        var written = new ArrayList<FileInfo>();
        var paths = new HashSet<String>();
        for (var part = parts.next(); part.isPresent(); part = parts.next()) {
            if (!part.get().name().equals("file")) {
                continue;
            }
            String name = written.isEmpty() ? path.orElse(part.get().filename()) : part.get().filename();
            if (name.isEmpty()) {
                throw new Refusal(400, "a part has no filename");
            }
            String target = resolved(session, name, user);
            if (!paths.add(target)) {
                throw new Refusal(400, "two parts are for the same path: " + Failure.shown(target, 4096));
            }
            written.add(put(session, target, user, metadata, part.get().content()));
        }
        return written;
    }

    /// Puts files together into one and removes them.
    void compose(Session session) throws IOException {
        JsonObject in = session.http().json();
        String user = in.textOr("username").filter(name -> !name.isEmpty()).orElse(Session.DEFAULT_USER);
        Files files = guest.files(session.id());
        var sources = new ArrayList<String>();
        for (String source : in.texts("source_paths").orElse(List.of())) {
            sources.add(naming(user, () -> GuestPaths.absolute(files, source, user)));
        }
        if (sources.isEmpty() || sources.size() > MAX_SOURCES) {
            throw new Refusal(400, "source_paths must name 1 to " + MAX_SOURCES + " files");
        }
        String destination = naming(user, () -> GuestPaths.absolute(files, in.text("destination"), user));
        if (sources.contains(destination)) {
            throw new Refusal(400, "the destination is one of the sources");
        }
        for (String source : sources) {
            naming(user, () -> found(files, source, user));
        }
        FileInfo made = put(session, destination, user, Map.of(), new Concatenation(files, sources, user));
        sources.forEach(source -> files.remove(source, user));
        byte[] document = Json.object(out -> {
            out.writeStringProperty("path", made.path());
            out.writeStringProperty("name", made.name());
            out.writeStringProperty("type", "file");
        });
        session.http().bytes(200, Call.JSON + "; charset=" + StandardCharsets.UTF_8.name().toLowerCase(java.util.Locale.ROOT), document);
    }

    private interface Work<T> {
        T run();
    }

    /// Tells of an unknown user in the words that clients know.
    private static <T> T naming(String user, Work<T> work) {
        try {
            return work.run();
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.USER_NOT_FOUND) {
                throw new Refusal(401, "error looking up user '" + Failure.shown(user) + "': user: unknown user " + Failure.shown(user));
            }
            throw e;
        }
    }
}
