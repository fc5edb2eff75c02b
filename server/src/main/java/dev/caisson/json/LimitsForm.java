package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Limits;
import java.math.BigDecimal;
import tools.jackson.core.JsonGenerator;

final class LimitsForm implements Form<Limits> {
    @Override
    public void writeKeys(Limits value, JsonGenerator out) {
        out.writeNumberProperty("cpus", Json.plain(BigDecimal.valueOf(value.cpus().millis(), 3)));
        out.writeNumberProperty("memory_bytes", value.memory().bytes());
        out.writeNumberProperty("processes", value.processes());
        out.writeNumberProperty("disk_bytes", value.disk().bytes());
        out.writeNumberProperty("open_files", value.openFiles());
    }

    @Override
    public Limits readKeys(JsonObject in) {
        return new Limits(
                Cpus.parse(in.number("cpus").orElseThrow(() -> in.missing("cpus")).toPlainString()),
                new ByteSize(in.whole("memory_bytes", 0, Long.MAX_VALUE)),
                in.whole("processes", 0, Integer.MAX_VALUE),
                new ByteSize(in.whole("disk_bytes", 0, Long.MAX_VALUE)),
                in.whole("open_files", 0, Integer.MAX_VALUE));
    }
}
