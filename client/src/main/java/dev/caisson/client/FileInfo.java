package dev.caisson.client;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/// A file of a sandbox.
///
/// @param name last part of the path; bytes that are not UTF-8 are shown as U+FFFD
/// @param rawName base64 of the name's bytes when they are not UTF-8, otherwise empty
/// @param kind `file`, `directory`, `symlink` or `other`
/// @param size bytes
/// @param mode permission bits
/// @param linkTarget what a symbolic link says; otherwise empty
/// @param target where a symbolic link leads in the end; empty when there is nothing, or nothing that the user may see
/// @param metadata what a file was written with
public record FileInfo(
        String name, String path, String rawName, String kind, long size, int mode, String owner, String group, Instant modified, String linkTarget,
        Optional<Target> target, Map<String, String> metadata) {
    /// The other end of a symbolic link: never a link itself, and no link in its path.
    public record Target(String path, String kind, long size, int mode) {}

    static FileInfo of(Json.Obj json) {
        return Answers.read(json, () -> new FileInfo(
                json.text("name"), json.text("path"), json.text("raw_name_base64", ""), json.text("kind"), json.whole("size_bytes"), Integer.parseInt(json.text("mode"), 8),
                json.text("owner"), json.text("group"), Instant.parse(json.text("modified_at")), json.text("link_target", ""),
                json.find("target").map(_ -> json.object("target")).map(to -> new Target(to.text("path"), to.text("kind"), to.whole("size_bytes"), Integer.parseInt(to.text("mode"), 8))),
                json.texts("metadata")));
    }
}
