package dev.caisson.guest;

import com.google.protobuf.ByteString;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// A file that a sandbox has before anything of a caller's runs in it. Root of the sandbox writes it when it is adopted; agent.proto has what each kind does.
///
/// @param path absolute, in the sandbox; in a directory that only root changes
/// @param content not to be changed; one that is appended ends with a newline
/// @param mode permission bits of a replaced file; an appended one keeps its own
public record SeedFile(Kind kind, String path, byte[] content, int mode) {
    public enum Kind {
        /// The path becomes a plain file with this content, whatever was there.
        REPLACE(dev.caisson.guest.wire.SeedFile.Kind.REPLACE),
        /// The content is added to the file that the path leads to, unless it ends with it; nothing where there is none. One content for each file.
        APPEND_IF_EXISTS(dev.caisson.guest.wire.SeedFile.Kind.APPEND_IF_EXISTS);

        private final dev.caisson.guest.wire.SeedFile.Kind wire;

        Kind(dev.caisson.guest.wire.SeedFile.Kind wire) {
            this.wire = wire;
        }
    }

    /// Of one adoption.
    public static final int MAX_FILES = 16;
    /// Of all files of one adoption together. Unit: bytes of content.
    public static final int MAX_BYTES = 768 * 1024;
    private static final int MAX_PATH_BYTES = 4095;
    private static final int READABLE = 0644;

    public SeedFile {
        if (!path.startsWith("/") || path.endsWith("/") || path.indexOf('\0') >= 0 || path.getBytes(StandardCharsets.UTF_8).length > MAX_PATH_BYTES) {
            throw new IllegalArgumentException("a file to begin with needs an absolute path of at most " + MAX_PATH_BYTES + " bytes, got '" + path + "'");
        }
        if (mode < 1 || mode > 0777) {
            throw new IllegalArgumentException(path + ": mode must be 1..0777, got 0" + Integer.toOctalString(mode));
        }
    }

    /// A file that all may read.
    public static SeedFile replace(String path, String content) {
        return new SeedFile(Kind.REPLACE, path, content.getBytes(StandardCharsets.UTF_8), READABLE);
    }

    public static SeedFile appendIfExists(String path, String content) {
        return new SeedFile(Kind.APPEND_IF_EXISTS, path, content.getBytes(StandardCharsets.UTF_8), READABLE);
    }

    dev.caisson.guest.wire.SeedFile wire() {
        return dev.caisson.guest.wire.SeedFile.newBuilder().setPath(ByteString.copyFromUtf8(path)).setContent(ByteString.copyFrom(content)).setMode(mode).setKind(kind.wire).build();
    }

    /// As one adoption takes them.
    ///
    /// Errors: [IllegalArgumentException] when they are more than that.
    static List<dev.caisson.guest.wire.SeedFile> wire(List<SeedFile> files) {
        var wire = files.stream().map(SeedFile::wire).toList();
        long bytes = wire.stream().mapToLong(file -> file.getContent().size()).sum();
        if (wire.size() > MAX_FILES || bytes > MAX_BYTES) {
            throw new IllegalArgumentException(wire.size() + " files of " + bytes + " bytes to begin with; at most " + MAX_FILES + " of " + MAX_BYTES);
        }
        return wire;
    }
}
