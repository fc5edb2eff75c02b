package dev.caisson.api.e2b;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.MimeTypes;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Response;
import org.jspecify.annotations.Nullable;

/// The answer to one `GET /files`: all of a file, a part of it, or that it has not changed.
///
/// Its bytes go out as they are, unless the client takes nothing but gzip: packing costs more time than it saves on the way to a machine nearby.
final class Download {
    private static final int PIECE = 128 * 1024;
    private static final DateTimeFormatter HTTP_DATE = DateTimeFormatter.RFC_1123_DATE_TIME.withLocale(Locale.US);

    private final Call call;
    private final Files files;
    private final String path;
    private final String user;
    private final FileInfo info;

    Download(Call call, Files files, String path, String user, FileInfo info) {
        this.call = call;
        this.files = files;
        this.path = path;
        this.user = user;
        this.info = info;
    }

    void answer() throws IOException {
        Instant modified = info.modified().truncatedTo(ChronoUnit.SECONDS);
        call.put(HttpHeader.VARY.asString(), "Accept-Encoding");
        call.put(HttpHeader.LAST_MODIFIED.asString(), HTTP_DATE.format(modified.atZone(ZoneOffset.UTC)));
        if (date(HttpHeader.IF_MODIFIED_SINCE).map(since -> !modified.isAfter(since)).orElse(false)) {
            call.empty(304);
            return;
        }
        // A size of 0 tells nothing: files of /proc have it.
        long size = info.target().map(FileInfo.Target::size).orElse(info.size());
        boolean sized = Guest.resolvedKind(info) == FileInfo.Kind.FILE && size > 0;
        Optional<ByteRange> range = sized && isWhatRangeMeans(modified) ? ByteRange.parse(call.header("Range"), size) : Optional.empty();
        boolean conditional = !call.header("Range").isEmpty() || !call.header("If-Range").isEmpty();
        boolean gzip = Encodings.parse(call.header(HttpHeader.ACCEPT_ENCODING.asString())).wantsGzip() && !conditional;
        long length = range.map(ByteRange::length).orElse(sized ? size : Long.MAX_VALUE);
        try (InputStream in = files.read(path, user, range.map(ByteRange::offset).orElse(0L), length)) {
            byte[] piece = new byte[PIECE];
            // The first piece comes before the answer begins, so that what cannot be read is a plain refusal.
            int first = firstPiece(in, piece, length);
            head(range, size);
            if (gzip) {
                packed(in, piece, first);
            } else {
                plain(in, piece, first, sized ? Optional.of(length) : Optional.empty());
            }
        }
        call.callback().succeeded();
    }

    private int firstPiece(InputStream in, byte[] piece, long length) throws IOException {
        try {
            return in.readNBytes(piece, 0, (int) Math.min(piece.length, length));
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.IS_A_DIRECTORY) {
                throw new Refusal(400, "path '" + Failure.shown(path, 4096) + "' is a directory");
            }
            throw e;
        }
    }

    private boolean isWhatRangeMeans(Instant modified) {
        return call.header("If-Range").isEmpty() || date(HttpHeader.IF_RANGE).map(modified::equals).orElse(false);
    }

    private Optional<Instant> date(HttpHeader header) {
        String text = call.header(header.asString());
        if (text.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(ZonedDateTime.parse(text, HTTP_DATE).toInstant());
        } catch (DateTimeParseException _) {
            return Optional.empty();
        }
    }

    private void head(Optional<ByteRange> range, long size) {
        call.response().setStatus(range.isPresent() ? 206 : 200);
        range.ifPresent(part -> call.put(HttpHeader.CONTENT_RANGE.asString(), part.contentRange(size)));
        call.put(HttpHeader.ACCEPT_RANGES.asString(), "bytes");
        @Nullable String type = MimeTypes.DEFAULTS.getMimeByExtension(path);
        call.put(HttpHeader.CONTENT_TYPE.asString(), type == null ? "application/octet-stream" : type);
        call.put("Content-Disposition", "inline; filename*=UTF-8''" + URLEncoder.encode(info.name(), StandardCharsets.UTF_8).replace("+", "%20"));
        // What a guest wrote is not to become a page of this server's.
        call.put("Content-Security-Policy", "sandbox");
        call.put("X-Content-Type-Options", "nosniff");
    }

    private void plain(InputStream in, byte[] piece, int first, Optional<Long> length) throws IOException {
        length.ifPresent(bytes -> call.response().getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes));
        if (length.isEmpty() && first == 0) {
            call.response().getHeaders().put(HttpHeader.CONTENT_LENGTH, 0);
        }
        if (call.request().getMethod().equals("HEAD")) {
            return;
        }
        long left = length.orElse(Long.MAX_VALUE);
        for (int count = first; count > 0 && left > 0; count = left > 0 ? in.read(piece) : 0) {
            int now = (int) Math.min(count, left);
            Content.Sink.write(call.response(), false, ByteBuffer.wrap(piece, 0, now));
            left -= now;
        }
        if (length.isPresent() && left > 0) {
            throw new IOException("the file became shorter while it was read");
        }
    }

    private void packed(InputStream in, byte[] piece, int first) throws IOException {
        call.put(HttpHeader.CONTENT_ENCODING.asString(), "gzip");
        try (var out = new GZIPOutputStream(Response.asBufferedOutputStream(call.request(), call.response()), 64 * 1024)) {
            for (int count = first; count > 0; count = in.read(piece)) {
                out.write(piece, 0, count);
            }
        }
    }
}
