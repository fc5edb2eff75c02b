package dev.caisson.client;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// The files of one sandbox. Paths are the sandbox's: absolute, or relative to the user's home.
///
/// Threads: safe for many.
public final class SandboxFiles {
    private final Http http;
    private final String base;
    private final String user;

    SandboxFiles(Http http, String base, String user) {
        this.http = http;
        this.base = base;
        this.user = user;
    }

    /// The same files with the rights of another user of the sandbox.
    public SandboxFiles as(String name) {
        return new SandboxFiles(http, base, name);
    }

    private String query(String call, String path) {
        return base + "/files" + call + "?path=" + Http.escape(path) + (user.isEmpty() ? "" : "&user=" + Http.escape(user));
    }

    /// The bytes of a file. Close the stream. A transfer that was cut is an [IOException], never a short file.
    public InputStream read(String path) {
        try {
            return http.open("GET", query("", path), "application/octet-stream", new Body.None(), Http.ANSWER_TIMEOUT_MS).stream();
        } catch (IOException e) {
            throw http.unreachable(e);
        }
    }

    public byte[] readAll(String path) {
        try (var in = read(path)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw http.unreachable(e);
        }
    }

    /// Copies a file out of the sandbox, over whatever is at `to`.
    public long download(String path, Path to) throws IOException {
        try (var in = read(path); var out = Files.newOutputStream(to)) {
            return in.transferTo(out);
        }
    }

    public FileInfo write(String path, byte[] content) {
        return write(path, 0644, new ByteArrayInputStream(content), content.length);
    }

    /// Copies a file into the sandbox; it stays executable when it is.
    public FileInfo upload(Path from, String path) throws IOException {
        try (var in = Files.newInputStream(from)) {
            return write(path, Files.isExecutable(from) ? 0755 : 0644, in, Files.size(from));
        }
    }

    /// The same with metadata, which [#stat] and [#list] tell from then on: names of 1 to 246 bytes, 4096 bytes in all. Whatever the file had before is gone.
    public FileInfo write(String path, byte[] content, Map<String, String> metadata) {
        return put(query("", path) + "&mode=0644&metadata=" + Http.escape(Json.of(metadata).write()), new ByteArrayInputStream(content), content.length);
    }

    /// Replaces a file, making missing parent directories; the old content stays until all of the new has arrived.
    ///
    /// @param mode permission bits of a new file
    /// @param length bytes that `content` will bring; -1 when unknown
    public FileInfo write(String path, int mode, InputStream content, long length) {
        return put(query("", path) + "&mode=" + String.format("%04o", mode), content, length);
    }

    private FileInfo put(String where, InputStream content, long length) {
        var body = new Body.Stream(new byte[0], content, length);
        try (var answer = http.open("PUT", where, "application/json", body, Http.ANSWER_TIMEOUT_MS)) {
            return FileInfo.of(answer.json());
        } catch (IOException e) {
            throw http.unreachable(e);
        }
    }

    public FileInfo stat(String path) {
        return FileInfo.of(http.get(query("/stat", path)));
    }

    /// Entries of a directory down to `depth`; 1 means its own entries.
    public List<FileInfo> list(String path, int depth) {
        return Answers.list(http.get(query("/list", path) + "&depth=" + depth), "entries", FileInfo::of);
    }

    /// Makes a directory and its missing parents; false when it was there already.
    public boolean makeDirectories(String path) {
        return http.ask("POST", base + "/files/directory", Body.json(asUser(Json.object().put("path", path)))).bool("created");
    }

    public FileInfo rename(String from, String to) {
        return FileInfo.of(http.ask("POST", base + "/files/rename", Body.json(asUser(Json.object().put("from", from).put("to", to)))));
    }

    private Json asUser(Json.Builder request) {
        return (user.isEmpty() ? request : request.put("user", user)).done();
    }

    /// Removes a file, or a directory with all in it.
    public void remove(String path) {
        http.ask("DELETE", query("", path), new Body.None());
    }

    /// Watches a directory, and with `recursive` all below it.
    public FileWatch watch(String path, boolean recursive) {
        var connection = new Connection[1];
        try {
            var answer = http.open(
                    "GET", query("/watch", path) + "&recursive=" + recursive, "application/x-ndjson", new Body.None(), Http.STREAM_TIMEOUT_MS,
                    opened -> connection[0] = opened);
            return new FileWatch(http, answer, connection);
        } catch (IOException e) {
            throw http.unreachable(e);
        }
    }
}
