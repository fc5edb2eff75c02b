package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Usage;
import tools.jackson.core.JsonGenerator;

final class UsageForm implements Form<Usage> {
    @Override
    public void writeKeys(Usage value, JsonGenerator out) {
        out.writeNumberProperty("peak_memory_bytes", value.peakMemory().bytes());
        Json.writeMillis(out, "cpu_ms", value.cpu());
    }

    @Override
    public Usage readKeys(JsonObject in) {
        return new Usage(
                new ByteSize(in.whole("peak_memory_bytes", 0, Long.MAX_VALUE)),
                in.millis("cpu_ms").orElseThrow(() -> in.missing("cpu_ms")));
    }
}
