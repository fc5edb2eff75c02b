package dev.caisson.api.e2b;

import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.UsageSample;
import java.time.InstantSource;
import java.util.List;
import java.util.TreeMap;

/// What a sandbox tells of itself over plain HTTP: its use, and the variables its processes have.
final class GuestFacts {
    private static final long MIB = 1 << 20;
    private final Sandboxes sandboxes;
    private final InstantSource clock;

    GuestFacts(Sandboxes sandboxes, InstantSource clock) {
        this.sandboxes = sandboxes;
        this.clock = clock;
    }

    void metrics(Session session) {
        SandboxInfo info = session.sandbox();
        List<UsageSample> samples = sandboxes.samples(info.id(), info.created(), clock.instant().plusSeconds(1));
        if (samples.isEmpty()) {
            throw new Refusal(503, "nothing has been measured yet");
        }
        UsageSample sample = samples.getLast();
        session.http().json(200, out -> {
            out.writeNumberProperty("ts", sample.at().getEpochSecond());
            out.writeNumberProperty("cpu_count", Payloads.wholeCpus(sample.cpus().millis()));
            out.writeNumberProperty("cpu_used_pct", Payloads.percent(sample));
            out.writeNumberProperty("mem_total", sample.memoryTotal().bytes());
            out.writeNumberProperty("mem_used", sample.memoryUsed().bytes());
            out.writeNumberProperty("mem_cache", sample.memoryCache().bytes());
            out.writeNumberProperty("mem_total_mib", sample.memoryTotal().bytes() / MIB);
            out.writeNumberProperty("mem_used_mib", sample.memoryUsed().bytes() / MIB);
            out.writeNumberProperty("disk_used", sample.diskUsed().bytes());
            out.writeNumberProperty("disk_total", sample.diskTotal().bytes());
        });
    }

    void environment(Session session) {
        var environment = new TreeMap<>(ProcessService.environment(session.sandbox(), session.sandbox().spec().env()));
        session.http().json(200, out -> environment.forEach(out::writeStringProperty));
    }
}
