package dev.caisson.api.e2b;

import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.UsageSample;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// How much sandboxes use.
final class MetricHandlers {
    private static final int MAX_AT_ONCE = 100;
    /// The first second that [Instant#toString] would write with more than four digits of year.
    static final long MAX_SECOND = 253_402_300_800L;

    private final Sandboxes sandboxes;
    private final InstantSource clock;

    MetricHandlers(Sandboxes sandboxes, InstantSource clock) {
        this.sandboxes = sandboxes;
        this.clock = clock;
    }

    void one(ControlCall call) throws IOException {
        SandboxInfo info = call.sandbox();
        var query = call.http().query();
        Instant from = Instant.ofEpochSecond(query.whole("start", 0, MAX_SECOND, info.created().getEpochSecond()));
        Instant to = Instant.ofEpochSecond(query.whole("end", 0, MAX_SECOND, clock.instant().getEpochSecond() + 1));
        if (to.isBefore(from)) {
            throw new Refusal(400, "end lies before start");
        }
        List<UsageSample> samples = sandboxes.samples(info.id(), from, to);
        call.http().stream(200, out -> {
            out.writeStartArray();
            samples.forEach(sample -> Payloads.writeMetric(sample, out));
            out.writeEndArray();
        });
    }

    /// The newest of each; one that is unknown is left out.
    void many(ControlCall call) throws IOException {
        List<String> ids = call.http().query().all("sandbox_ids").stream().flatMap(list -> List.of(list.split(",")).stream()).toList();
        if (ids.isEmpty() || ids.size() > MAX_AT_ONCE) {
            throw new Refusal(400, "sandbox_ids must name 1 to " + MAX_AT_ONCE + " sandboxes");
        }
        Map<String, UsageSample> newest = new LinkedHashMap<>();
        for (SandboxInfo info : call.owned().list()) {
            if (ids.contains(info.id().value())) {
                List<UsageSample> samples = sandboxes.samples(info.id(), info.created(), clock.instant().plusSeconds(1));
                if (!samples.isEmpty()) {
                    newest.put(info.id().value(), samples.getLast());
                }
            }
        }
        call.http().json(200, out -> {
            out.writeObjectPropertyStart("sandboxes");
            newest.forEach((id, sample) -> {
                out.writeName(id);
                Payloads.writeMetric(sample, out);
            });
            out.writeEndObject();
        });
    }
}
