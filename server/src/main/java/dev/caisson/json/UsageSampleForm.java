package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.UsageSample;
import java.math.BigDecimal;
import java.math.RoundingMode;
import tools.jackson.core.JsonGenerator;

final class UsageSampleForm implements Form<UsageSample> {
    @Override
    public void writeKeys(UsageSample value, JsonGenerator out) {
        out.writeStringProperty("at", value.at().toString());
        out.writeNumberProperty("cpus", Json.plain(BigDecimal.valueOf(value.cpus().millis(), 3)));
        out.writeNumberProperty("cpu_used_percent", Json.plain(BigDecimal.valueOf(value.cpuUsedPercent()).setScale(2, RoundingMode.HALF_UP)));
        out.writeNumberProperty("memory_used_bytes", value.memoryUsed().bytes());
        out.writeNumberProperty("memory_total_bytes", value.memoryTotal().bytes());
        out.writeNumberProperty("memory_cache_bytes", value.memoryCache().bytes());
        out.writeNumberProperty("disk_used_bytes", value.diskUsed().bytes());
        out.writeNumberProperty("disk_total_bytes", value.diskTotal().bytes());
    }

    @Override
    public UsageSample readKeys(JsonObject in) {
        return new UsageSample(
                in.time("at"),
                Cpus.parse(number(in, "cpus").toPlainString()),
                number(in, "cpu_used_percent").doubleValue(),
                size(in, "memory_used_bytes"),
                size(in, "memory_total_bytes"),
                size(in, "memory_cache_bytes"),
                size(in, "disk_used_bytes"),
                size(in, "disk_total_bytes"));
    }

    private static BigDecimal number(JsonObject in, String key) {
        return in.number(key).orElseThrow(() -> in.missing(key));
    }

    private static ByteSize size(JsonObject in, String key) {
        return new ByteSize(in.whole(key, 0, Long.MAX_VALUE));
    }
}
