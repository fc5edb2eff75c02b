package dev.caisson.json;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileInfo;
import java.util.regex.Pattern;
import tools.jackson.core.JsonGenerator;

final class FileInfoForm implements Form<FileInfo> {
    private static final Pattern OCTAL = Pattern.compile("[0-7]{4}");
    private static final Form<FileInfo.Target> TARGET = new TargetForm();

    @Override
    public void writeKeys(FileInfo value, JsonGenerator out) {
        out.writeStringProperty("name", value.name());
        out.writeStringProperty("path", value.path());
        if (!value.rawName().isEmpty()) {
            out.writeStringProperty("raw_name_base64", value.rawName());
        }
        out.writeStringProperty("kind", Json.label(value.kind()));
        out.writeNumberProperty("size_bytes", value.size());
        out.writeStringProperty("mode", octal(value.mode()));
        out.writeStringProperty("owner", value.owner());
        out.writeStringProperty("group", value.group());
        out.writeStringProperty("modified_at", value.modified().toString());
        if (!value.linkTarget().isEmpty()) {
            out.writeStringProperty("link_target", value.linkTarget());
        }
        value.target().ifPresent(target -> {
            out.writeName("target");
            TARGET.write(target, out);
        });
        if (!value.metadata().isEmpty()) {
            Json.writeMap(out, "metadata", value.metadata());
        }
    }

    @Override
    public FileInfo readKeys(JsonObject in) {
        return new FileInfo(
                in.text("name"),
                in.text("path"),
                in.text("raw_name_base64", ""),
                in.word("kind", FileInfo.Kind.class),
                in.whole("size_bytes", 0, Long.MAX_VALUE),
                mode(in.text("mode")),
                in.text("owner"),
                in.text("group"),
                in.time("modified_at"),
                in.text("link_target", ""),
                in.objectOr("target", TARGET),
                in.map("metadata"));
    }

    private static final class TargetForm implements Form<FileInfo.Target> {
        @Override
        public void writeKeys(FileInfo.Target value, JsonGenerator out) {
            out.writeStringProperty("path", value.path());
            out.writeStringProperty("kind", Json.label(value.kind()));
            out.writeNumberProperty("size_bytes", value.size());
            out.writeStringProperty("mode", octal(value.mode()));
        }

        @Override
        public FileInfo.Target readKeys(JsonObject in) {
            return new FileInfo.Target(in.text("path"), in.word("kind", FileInfo.Kind.class), in.whole("size_bytes", 0, Long.MAX_VALUE), mode(in.text("mode")));
        }
    }

    /// Four octal digits, as people know them from `chmod`.
    private static String octal(int mode) {
        return Integer.toOctalString(0x1000 | mode & 0xFFF).substring(1);
    }

    private static int mode(String octal) {
        if (!OCTAL.matcher(octal).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a mode: '" + Failure.shown(octal) + "'", "write four octal digits, such as 0644");
        }
        return Integer.parseInt(octal, 8);
    }
}
