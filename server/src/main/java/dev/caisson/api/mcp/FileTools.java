package dev.caisson.api.mcp;

import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Files of a sandbox, in and out.
final class FileTools {
    private static final int DEFAULT_READ = 64 * 1024;
    private static final int MAX_READ = 128 * 1024;
    private static final int MAX_CONTENT = 4 * 1024 * 1024;
    private static final int MAX_PATH = 4_096;
    private static final int MAX_DEPTH = 8;
    private static final int MAX_ENTRIES = 1_000;
    /// Of all the paths of a listing together. Unit: characters.
    private static final int MAX_LISTING = 96 * 1024;
    private static final List<String> ENCODINGS = List.of("text", "base64");
    private static final Schema FILE = Schema.object()
            .required("path", Schema.text())
            .required("kind", Schema.words(List.of("file", "directory", "symlink", "other")))
            .required("size_bytes", Schema.whole())
            .required("mode", Schema.text().says("Permissions, octal."))
            .required("owner", Schema.text())
            .required("modified_at", Schema.text());

    private final Tenants tenants;

    FileTools(Tenants tenants) {
        this.tenants = tenants;
    }

    List<Tool> all() {
        return List.of(read(), write(), list());
    }

    private static Schema path() {
        return Schema.text(MAX_PATH).with("minLength", 1).says("Absolute, or relative to the home directory of the ordinary user.");
    }

    private static String path(JsonObject in) {
        String path = in.text("path");
        if (path.isEmpty() || path.length() > MAX_PATH || path.indexOf('\0') >= 0) {
            throw Failure.Code.BAD_REQUEST.with("'path' must be 1 to " + MAX_PATH + " characters without NUL", "name a file of the sandbox");
        }
        return path;
    }

    private Tool read() {
        return new Tool("read_file", "Read a file",
                "Reads a file of a sandbox, at most max_bytes of it from offset. Text comes as it is; what is no text (or cut in a way that no text is left) comes as base64, and `encoding` says so. "
                        + "When there is more, next_offset says where to go on.",
                Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .required("path", path())
                        .optional("offset", Schema.whole(0, 1L << 50).byDefault(0).says("Bytes to skip."))
                        .optional("max_bytes", Schema.whole(1, MAX_READ).byDefault(DEFAULT_READ)),
                Schema.object()
                        .required("content", Schema.text())
                        .required("encoding", Schema.words(ENCODINGS))
                        .required("bytes", Schema.whole().says("How many bytes of the file `content` is."))
                        .required("truncated", Schema.truth())
                        .optional("next_offset", Schema.whole()),
                Tool.Effect.READS, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    String path = path(in);
                    long offset = in.wholeOr("offset", 0, 1L << 50).orElse(0L);
                    int most = in.wholeOr("max_bytes", 1, MAX_READ).map(Long::intValue).orElse(DEFAULT_READ);
                    return call -> read(tenants.of(call.caller()), id, path, offset, most);
                });
    }

    private static Tool.Result read(Sandboxes sandboxes, SandboxId id, String path, long offset, int most) {
        byte[] bytes;
        try (InputStream in = sandboxes.files(id).read(path, "", offset, most + 1L)) {
            bytes = in.readNBytes(most + 1);
        } catch (IOException e) {
            throw Failure.Code.FILE_FAILED.with("the file could not be read to its end: " + e.getMessage(), "try again", e);
        }
        boolean more = bytes.length > most;
        int count = Math.min(bytes.length, most);
        int whole = more ? wholeCharacters(bytes, count) : count;
        Optional<String> text = text(bytes, whole);
        int told = text.isPresent() ? whole : count;
        String content = text.orElseGet(() -> Base64.getEncoder().encodeToString(Arrays.copyOf(bytes, count)));
        var facts = new LinkedHashMap<String, Object>();
        facts.put("content", content);
        facts.put("encoding", text.isPresent() ? "text" : "base64");
        facts.put("bytes", told);
        facts.put("truncated", more);
        if (more) {
            facts.put("next_offset", offset + told);
        }
        String remark = (text.isPresent() ? "" : "[base64 of " + told + " bytes]\n") + content;
        return new Tool.Result(more ? remark + "\n[… there is more: read on from offset " + (offset + told) + "]" : remark, facts);
    }

    /// `count`, less a character that is cut there.
    private static int wholeCharacters(byte[] bytes, int count) {
        int start = count - 1;
        while (start > 0 && count - start < 4 && (bytes[start] & 0xC0) == 0x80) {
            start--;
        }
        int length = (bytes[start] & 0x80) == 0 ? 1 : Integer.numberOfLeadingZeros(~(bytes[start] << 24));
        return start > 0 && length > count - start ? start : count;
    }

    /// Empty when these bytes are not text that survives the way: no UTF-8, or with control characters.
    private static Optional<String> text(byte[] bytes, int count) {
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, count)).toString();
            return text.chars().allMatch(c -> c >= ' ' && c != 0x7f || c == '\n' || c == '\t' || c == '\r') ? Optional.of(text) : Optional.empty();
        } catch (CharacterCodingException _) {
            return Optional.empty();
        }
    }

    private Tool write() {
        return new Tool("write_file", "Write a file",
                "Writes a file of a sandbox, replacing what was there; missing directories are made. At most " + MAX_CONTENT / (1 << 20)
                        + " MiB of content a call. The file belongs to the ordinary user. It counts against the sandbox's disk.",
                Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .required("path", path())
                        .required("content", Schema.text(MAX_CONTENT))
                        .optional("encoding", Schema.words(ENCODINGS).byDefault("text").says("base64 for what is not text.")),
                FILE, Tool.Effect.CHANGES, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    String path = path(in);
                    byte[] content = decoded(Tools.bounded("content", in.text("content"), MAX_CONTENT), in.text("encoding", "text"));
                    return call -> {
                        FileInfo written = tenants.of(call.caller()).files(id).write(path, "", -1, new ByteArrayInputStream(content));
                        return new Tool.Result("wrote " + written.size() + " bytes to " + written.path(), facts(written));
                    };
                });
    }

    private static byte[] decoded(String content, String encoding) {
        switch (encoding) {
            case "text" -> {
                return content.getBytes(StandardCharsets.UTF_8);
            }
            case "base64" -> {
                try {
                    return Base64.getDecoder().decode(content);
                } catch (IllegalArgumentException _) {
                    throw Failure.Code.BAD_REQUEST.with("'content' is not base64", "use the standard alphabet, without line breaks");
                }
            }
            default -> throw Failure.Code.BAD_REQUEST.with("'encoding' cannot be '" + Failure.shown(encoding) + "'", "choose text or base64");
        }
    }

    private Tool list() {
        return new Tool("list_directory", "List a directory",
                "What is in a directory of a sandbox, and with depth above 1 what is in its directories too. At most " + MAX_ENTRIES + " entries; `truncated` says when there are more.",
                Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .optional("path", path().byDefault("."))
                        .optional("depth", Schema.whole(1, MAX_DEPTH).byDefault(1)),
                Schema.object().required("entries", Schema.list(FILE)).required("truncated", Schema.truth()),
                Tool.Effect.READS, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    String path = in.has("path") ? path(in) : ".";
                    int depth = in.wholeOr("depth", 1, MAX_DEPTH).map(Long::intValue).orElse(1);
                    return call -> listing(tenants.of(call.caller()).files(id).list(path, "", depth));
                });
    }

    private static Tool.Result listing(List<FileInfo> found) {
        var entries = new ArrayList<Map<String, Object>>();
        var text = new StringBuilder();
        for (FileInfo file : found) {
            if (entries.size() == MAX_ENTRIES || text.length() > MAX_LISTING) {
                break;
            }
            entries.add(facts(file));
            text.append(String.format("%-9s %04o %-8s %12d %s %s%n", Json.label(file.kind()), file.mode(), Failure.shown(file.owner()), file.size(), file.modified(), Failure.shown(file.path(), MAX_PATH)));
        }
        boolean truncated = entries.size() < found.size();
        text.append(truncated ? "[… " + (found.size() - entries.size()) + " more]" : found.isEmpty() ? "(empty)" : "");
        return new Tool.Result(text.toString(), Map.of("entries", entries, "truncated", truncated));
    }

    private static Map<String, Object> facts(FileInfo file) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("path", file.path());
        facts.put("kind", Json.label(file.kind()));
        facts.put("size_bytes", file.size());
        facts.put("mode", String.format("%04o", file.mode()));
        facts.put("owner", file.owner());
        facts.put("modified_at", file.modified().toString());
        return facts;
    }
}
