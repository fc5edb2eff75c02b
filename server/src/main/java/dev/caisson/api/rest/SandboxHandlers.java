package dev.caisson.api.rest;

import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Quota;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// `/v1/sandboxes` and what belongs to one sandbox as a whole.
final class SandboxHandlers {
    private static final int MAX_PAGE = 1_000;
    private static final int DEFAULT_PAGE = 100;
    private static final Comparator<SandboxInfo> OLDEST_FIRST = Comparator.comparing(SandboxInfo::created).thenComparing(info -> info.id().value());

    private final Tenants tenants;
    private final TierPolicy tiers;
    private final Quota quota;
    private final WayOut ways;

    SandboxHandlers(Tenants tenants, TierPolicy tiers, Quota quota, WayOut ways) {
        this.tenants = tenants;
        this.tiers = tiers;
        this.quota = quota;
        this.ways = ways;
    }

    void create(Call call) throws IOException, InterruptedException {
        SandboxInfo made = quota.create(call.caller(), SandboxRequest.read(call, tiers, ways, tenants.of(call.caller())));
        call.header("Location", "/v1/sandboxes/" + made.id());
        call.json(201, Forms.SANDBOX_INFO_SHOWN.bytes(shown(made)));
    }

    void get(Call call) {
        call.json(200, Forms.SANDBOX_INFO_SHOWN.bytes(shown(tenants.of(call.caller()).get(call.sandbox()))));
    }

    void list(Call call) throws IOException {
        int limit = (int) call.query().whole("limit", 1, MAX_PAGE, DEFAULT_PAGE);
        Map<String, String> wanted = labels(call.query().all("label"));
        var after = call.query().text("after").map(Place::parse);
        List<SandboxInfo> found = tenants.of(call.caller()).list().stream()
                .filter(info -> info.spec().labels().entrySet().containsAll(wanted.entrySet()))
                .filter(info -> after.isEmpty() || after.get().isBefore(info))
                .sorted(OLDEST_FIRST)
                .limit(limit + 1L)
                .map(SandboxHandlers::shown)
                .toList();
        List<SandboxInfo> page = found.subList(0, Math.min(limit, found.size()));
        call.largeJson(out -> {
            Json.writeList(out, "sandboxes", page, Forms.SANDBOX_INFO_SHOWN);
            if (found.size() > limit) {
                out.writeStringProperty("next", Place.of(page.getLast()).toString());
            }
        });
    }

    void renew(Call call) throws IOException {
        SandboxId id = call.sandbox();
        JsonObject in = call.json();
        Duration lease = in.seconds("lease_seconds").orElseThrow(() -> Failure.Code.BAD_REQUEST.with("'lease_seconds' is missing", "say for how long from now"));
        in.end();
        call.json(200, Forms.SANDBOX_INFO_SHOWN.bytes(shown(tenants.of(call.caller()).renew(id, checked(lease)))));
    }

    void pause(Call call) throws InterruptedException {
        call.json(200, Forms.SANDBOX_INFO_SHOWN.bytes(shown(tenants.of(call.caller()).pause(call.sandbox()))));
    }

    void resume(Call call) throws IOException, InterruptedException {
        SandboxId id = call.sandbox();
        JsonObject in = call.json();
        Duration lease = in.seconds("lease_seconds").orElse(SandboxSpec.DEFAULT_LEASE);
        in.end();
        call.json(200, Forms.SANDBOX_INFO_SHOWN.bytes(shown(tenants.of(call.caller()).resume(id, checked(lease)))));
    }

    void samples(Call call) throws IOException {
        Instant from = call.query().text("from").map(SandboxHandlers::time).orElse(Instant.EPOCH);
        Instant to = call.query().text("to").map(SandboxHandlers::time).orElse(Instant.MAX);
        var samples = tenants.of(call.caller()).samples(call.sandbox(), from, to);
        call.largeJson(out -> Json.writeList(out, "samples", samples, Forms.USAGE_SAMPLE));
    }

    private static Instant time(String text) {
        try {
            return Instant.parse(text);
        } catch (DateTimeParseException _) {
            throw Failure.Code.BAD_REQUEST.with("not a time: '" + Failure.shown(text) + "'", "write it like 2026-01-31T23:59:59Z");
        }
    }

    private static Duration checked(Duration lease) {
        if (lease.compareTo(SandboxSpec.MIN_LEASE) < 0 || lease.compareTo(SandboxSpec.MAX_LEASE) > 0) {
            throw Failure.Code.OUT_OF_RANGE.with("the lease must be 1 second to 24 hours, got " + lease.toSeconds() + " s", "ask for a time in that range");
        }
        return lease;
    }

    void delete(Call call) throws InterruptedException {
        Receipt receipt = tenants.of(call.caller()).delete(call.sandbox());
        quota.gone(receipt.id());
        call.json(200, Forms.RECEIPT.bytes(receipt));
    }

    void usage(Call call) {
        call.json(200, Forms.USAGE.bytes(tenants.of(call.caller()).usage(call.sandbox())));
    }

    /// Without the labels that are ours.
    private static SandboxInfo shown(SandboxInfo info) {
        SandboxSpec spec = info.spec();
        var labels = new HashMap<>(spec.labels());
        labels.keySet().removeIf(name -> name.startsWith(Quota.RESERVED_PREFIX));
        return new SandboxInfo(info.id(), spec.withLabels(labels), info.state(), info.imageDigest(), info.created(), info.expires(), info.createMillis());
    }

    private static Map<String, String> labels(List<String> pairs) {
        var labels = new HashMap<String, String>();
        for (String pair : pairs) {
            int equals = pair.indexOf('=');
            if (equals < 1) {
                throw Failure.Code.BAD_REQUEST.with("not a label: '" + Failure.shown(pair) + "'", "write it as name=value");
            }
            String before = labels.put(pair.substring(0, equals), pair.substring(equals + 1));
            if (before != null && !before.equals(pair.substring(equals + 1))) {
                throw Failure.Code.BAD_REQUEST.with("the label '" + Failure.shown(pair.substring(0, equals)) + "' is asked for with two values", "a sandbox has one value a label");
            }
        }
        return labels;
    }

    /// Where a page ended: the last sandbox's time and id, so that it still means something when that sandbox is gone.
    private record Place(Instant created, String id) {
        static Place of(SandboxInfo info) {
            return new Place(info.created(), info.id().value());
        }

        static Place parse(String text) {
            int underscore = text.indexOf('_');
            try {
                if (underscore > 0) {
                    return new Place(Instant.parse(text.substring(0, underscore)), text.substring(underscore + 1));
                }
            } catch (DateTimeParseException _) {
                // Refused below.
            }
            throw Failure.Code.BAD_REQUEST.with("not a place to go on from: '" + Failure.shown(text) + "'", "give the 'next' of the page before, as it was");
        }

        boolean isBefore(SandboxInfo info) {
            int order = created.compareTo(info.created());
            return order < 0 || order == 0 && id.compareTo(info.id().value()) < 0;
        }

        @Override
        public String toString() {
            return created + "_" + id;
        }
    }
}
