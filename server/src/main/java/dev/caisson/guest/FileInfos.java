package dev.caisson.guest;

import com.google.protobuf.ByteString;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Base64;
import java.util.Optional;

/// Reads what an agent tells of files.
final class FileInfos {
    private FileInfos() {}

    static FileInfo read(dev.caisson.guest.wire.FileInfo wire) {
        var kind = kind(wire.getKind());
        ByteString name = wire.getName();
        String rawName = name.isValidUtf8() ? "" : Base64.getEncoder().encodeToString(name.toByteArray());
        return new FileInfo(
                name.toStringUtf8(), wire.getPath().toStringUtf8(), rawName, kind, Math.max(0, wire.getSize()), wire.getMode() & 07777, wire.getOwner(), wire.getGroup(),
                instant(wire.getModifiedNanos()), wire.getLinkTarget().toStringUtf8(), target(wire), wire.getMetadataMap());
    }

    private static Optional<FileInfo.Target> target(dev.caisson.guest.wire.FileInfo wire) {
        if (!wire.hasTarget()) {
            return Optional.empty();
        }
        var target = wire.getTarget();
        return Optional.of(new FileInfo.Target(target.getPath().toStringUtf8(), kind(target.getKind()), Math.max(0, target.getSize()), target.getMode() & 07777));
    }

    private static FileInfo.Kind kind(dev.caisson.guest.wire.FileInfo.Kind kind) {
        return switch (kind) {
            case FILE -> FileInfo.Kind.FILE;
            case DIRECTORY -> FileInfo.Kind.DIRECTORY;
            case SYMLINK -> FileInfo.Kind.SYMLINK;
            case OTHER, UNRECOGNIZED -> FileInfo.Kind.OTHER;
        };
    }

    static FileEvent read(dev.caisson.guest.wire.FileEvent wire) {
        var kind = switch (wire.getKind()) {
            case CREATED -> FileEvent.Kind.CREATED;
            case WRITTEN -> FileEvent.Kind.WRITTEN;
            case REMOVED -> FileEvent.Kind.REMOVED;
            case RENAMED -> FileEvent.Kind.RENAMED;
            case ATTRIBUTES -> FileEvent.Kind.ATTRIBUTES;
            case OVERFLOW, UNRECOGNIZED -> FileEvent.Kind.OVERFLOW;
        };
        return new FileEvent(kind, wire.getPath().toStringUtf8());
    }

    private static Instant instant(long nanos) {
        try {
            return Instant.ofEpochSecond(Math.floorDiv(nanos, 1_000_000_000L), Math.floorMod(nanos, 1_000_000_000L));
        } catch (DateTimeException _) {
            return Instant.EPOCH;
        }
    }
}
