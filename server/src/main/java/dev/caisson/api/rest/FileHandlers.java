package dev.caisson.api.rest;

import dev.caisson.api.LiveBody;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;

/// `/v1/sandboxes/{id}/files` and below.
final class FileHandlers {
    private static final int MAX_DEPTH = 64;
    private final Tenants tenants;
    private final Duration heartbeat;

    FileHandlers(Tenants tenants, Duration heartbeat) {
        this.tenants = tenants;
        this.heartbeat = heartbeat;
    }

    /// The size that the guest tells becomes `Content-Length`, so that a file that shrinks on the way is seen to be cut. A size of 0 tells nothing: files of
    /// `/proc` have it.
    void read(Call call) throws IOException {
        Files files = tenants.of(call.caller()).files(call.sandbox());
        String path = call.file();
        String user = call.user();
        long offset = call.query().whole("offset", 0, Long.MAX_VALUE, 0);
        long length = call.query().whole("length", 0, Long.MAX_VALUE, Long.MAX_VALUE);
        FileInfo info = files.stat(path, user);
        boolean sized = info.kind() == FileInfo.Kind.FILE && info.size() > 0;
        long toSend = sized ? Math.min(length, Math.max(0, info.size() - offset)) : length;
        try (InputStream in = files.read(path, user, offset, toSend)) {
            byte[] piece = new byte[LiveBody.PIECE];
            // The first piece comes before the answer begins, so that what cannot be read is a problem document.
            int count = in.readNBytes(piece, 0, (int) Math.min(piece.length, toSend));
            call.response().setStatus(200);
            call.header("X-Content-Type-Options", "nosniff");
            call.response().getHeaders().put(HttpHeader.CONTENT_TYPE, "application/octet-stream");
            if (sized) {
                call.response().getHeaders().put(HttpHeader.CONTENT_LENGTH, toSend);
            }
            long sent = 0;
            while (count > 0 && sent < toSend) {
                int now = (int) Math.min(count, toSend - sent);
                Content.Sink.write(call.response(), false, ByteBuffer.wrap(piece, 0, now));
                sent += now;
                count = sent < toSend ? in.read(piece) : 0;
            }
            if (sized && sent < toSend) {
                throw new IOException("the file became shorter while it was read");
            }
        }
        call.callback().succeeded();
    }

    void write(Call call) throws IOException {
        Files files = tenants.of(call.caller()).files(call.sandbox());
        int mode = call.query().text("mode").map(FileHandlers::mode).orElse(-1);
        var metadata = call.query().text("metadata").map(FileHandlers::metadata).orElse(Map.of());
        var body = new WatchedInput(call.body());
        FileInfo written;
        try {
            written = files.write(call.file(), call.user(), mode, metadata, body);
        } catch (RuntimeException e) {
            body.rethrowOwnFailure(e);
            throw e;
        }
        call.json(200, Forms.FILE_INFO.bytes(written));
    }

    void remove(Call call) {
        tenants.of(call.caller()).files(call.sandbox()).remove(call.file(), call.user());
        call.empty();
    }

    void stat(Call call) {
        call.json(200, Forms.FILE_INFO.bytes(tenants.of(call.caller()).files(call.sandbox()).stat(call.file(), call.user())));
    }

    void list(Call call) throws IOException {
        int depth = (int) call.query().whole("depth", 1, MAX_DEPTH, 1);
        var entries = tenants.of(call.caller()).files(call.sandbox()).list(call.file(), call.user(), depth);
        call.largeJson(out -> Json.writeList(out, "entries", entries, Forms.FILE_INFO));
    }

    void makeDirectory(Call call) throws IOException {
        SandboxId id = call.sandbox();
        JsonObject in = call.json();
        String path = Call.checkedPath("path", in.text("path", ""));
        String user = in.text("user", "");
        in.end();
        boolean made = tenants.of(call.caller()).files(id).makeDirectory(path, user);
        call.json(made ? 201 : 200, Json.object(out -> out.writeBooleanProperty("created", made)));
    }

    void rename(Call call) throws IOException {
        SandboxId id = call.sandbox();
        JsonObject in = call.json();
        String from = Call.checkedPath("from", in.text("from", ""));
        String to = Call.checkedPath("to", in.text("to", ""));
        String user = in.text("user", "");
        in.end();
        call.json(200, Forms.FILE_INFO.bytes(tenants.of(call.caller()).files(id).rename(from, to, user)));
    }

    /// Begins with a heartbeat: from then on nothing is missed.
    void watch(Call call) throws IOException, InterruptedException {
        SandboxId id = call.sandbox();
        StreamForm form = StreamForm.LINES;
        call.acceptsOneOf(form.mediaType());
        boolean recursive = call.query().truth("recursive", false);
        try (var watch = tenants.of(call.caller()).files(id).watch(call.file(), call.user(), recursive);
                var body = LiveBody.start(call.request(), call.response(), form.mediaType(), form.heartbeat(), heartbeat)) {
            body.whenLost(watch::close);
            body.write(form.heartbeat());
            try {
                for (var event = watch.next(); event.isPresent(); event = watch.next()) {
                    body.write(form.event(Forms.FILE_EVENT.bytes(event.get())));
                }
            } catch (SandboxException e) {
                body.finish(form.event(Problem.of(e.failure(), id.value()).event()));
            }
            if (body.lost()) {
                throw new IOException("the client went away");
            }
        }
        call.callback().succeeded();
    }

    /// A JSON object of texts.
    private static Map<String, String> metadata(String json) {
        JsonObject in = JsonObject.parse(("{\"metadata\":" + json + "}").getBytes(StandardCharsets.UTF_8));
        var metadata = in.map("metadata");
        in.end();
        return metadata;
    }

    private static int mode(String octal) {
        if (!octal.matches("[0-7]{3,4}")) {
            throw Failure.Code.BAD_REQUEST.with("not a mode: '" + Failure.shown(octal) + "'", "write octal digits, such as 0644");
        }
        return Integer.parseInt(octal, 8);
    }
}
