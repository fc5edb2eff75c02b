package dev.caisson.api.e2b;

import dev.caisson.json.Json;
import dev.caisson.sandbox.FileInfo;
import java.util.Map;
import tools.jackson.core.JsonGenerator;

/// Files as the clients' `EntryInfo`.
final class Entries {
    private Entries() {}

    static void write(FileInfo info, JsonGenerator out) {
        out.writeStartObject();
        writeKeys(info, out);
        out.writeEndObject();
    }

    static void writeKeys(FileInfo info, JsonGenerator out) {
        out.writeStringProperty("name", info.name());
        out.writeStringProperty("type", type(Guest.resolvedKind(info)));
        out.writeStringProperty("path", info.path());
        out.writeStringProperty("size", Long.toString(info.target().map(FileInfo.Target::size).orElse(info.size())));
        out.writeNumberProperty("mode", info.target().map(FileInfo.Target::mode).orElse(info.mode()) & 0777);
        out.writeStringProperty("permissions", permissions(info));
        out.writeStringProperty("owner", info.owner());
        out.writeStringProperty("group", info.group());
        out.writeStringProperty("modifiedTime", info.modified().toString());
        if (info.kind() == FileInfo.Kind.SYMLINK) {
            out.writeStringProperty("symlinkTarget", info.target().map(FileInfo.Target::path).orElse(info.linkTarget()));
            out.writeBooleanProperty("isSymlink", true);
        }
        if (!info.metadata().isEmpty()) {
            Json.writeMap(out, "metadata", info.metadata());
        }
    }

    private static String type(FileInfo.Kind kind) {
        return switch (kind) {
            case FILE -> "FILE_TYPE_FILE";
            case DIRECTORY -> "FILE_TYPE_DIRECTORY";
            case SYMLINK, OTHER -> "FILE_TYPE_UNSPECIFIED";
        };
    }

    /// Kind and rights in ten letters or more, as Go writes them.
    static String permissions(FileInfo info) {
        var text = new StringBuilder(switch (info.kind()) {
            case FILE -> "";
            case DIRECTORY -> "d";
            case SYMLINK -> "L";
            case OTHER -> "?";
        });
        Map.of(0x800, "u", 0x400, "g", 0x200, "t").entrySet().stream().sorted(Map.Entry.<Integer, String>comparingByKey().reversed())
                .filter(bit -> (info.mode() & bit.getKey()) != 0).forEach(bit -> text.append(bit.getValue()));
        if (text.isEmpty()) {
            text.append('-');
        }
        for (int bit = 8; bit >= 0; bit--) {
            text.append((info.mode() >> bit & 1) == 0 ? '-' : "xwr".charAt(bit % 3));
        }
        return text.toString();
    }
}
