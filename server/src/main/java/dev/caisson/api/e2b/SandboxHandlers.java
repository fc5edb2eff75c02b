package dev.caisson.api.e2b;

import dev.caisson.json.JsonObject;
import dev.caisson.policy.Caller;
import dev.caisson.policy.Quota;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/// `/sandboxes`, `/v2/sandboxes`, and what becomes of one sandbox.
final class SandboxHandlers {
    /// What E2B gives sandboxes whose maker names no time, by the version of the path.
    private static final Duration FIRST_DEFAULT = Duration.ofSeconds(15);
    private static final Duration SECOND_DEFAULT = Duration.ofSeconds(300);

    private final Sandboxes sandboxes;
    private final Quota quota;
    private final InstantSource clock;
    private final CreateRequest creates;
    private final Payloads payloads;
    private final WayOut ways;
    private final E2bSettings settings;

    SandboxHandlers(Sandboxes sandboxes, Quota quota, TierPolicy tiers, WayOut ways, InstantSource clock, E2bSettings settings, Payloads payloads) {
        this.sandboxes = sandboxes;
        this.quota = quota;
        this.clock = clock;
        this.creates = new CreateRequest(sandboxes, tiers, settings, ways);
        this.payloads = payloads;
        this.ways = ways;
        this.settings = settings;
    }

    void createFirst(ControlCall call) throws IOException, InterruptedException {
        create(call, FIRST_DEFAULT);
    }

    void createSecond(ControlCall call) throws IOException, InterruptedException {
        create(call, SECOND_DEFAULT);
    }

    private void create(ControlCall call, Duration lease) throws IOException, InterruptedException {
        Caller caller = call.caller();
        SandboxSpec spec = creates.read(call.json(), lease, call.owned().tenant(), call.http().header("Idempotency-Key"));
        SandboxInfo made;
        try {
            made = quota.create(caller, spec);
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.TEMPLATE_NOT_FOUND) {
                throw new Refusal(404, "template '" + spec.template() + "' not found");
            }
            throw e;
        }
        call.http().json(201, out -> payloads.writeSandbox(made, out));
    }

    void get(ControlCall call) {
        SandboxInfo info = call.sandbox();
        call.http().json(200, out -> payloads.writeDetail(info, out));
    }

    void list(ControlCall call) throws IOException {
        list(call, EnumSet.of(SandboxState.RUNNING, SandboxState.PAUSED));
    }

    /// The first version of it, which knows running ones only.
    void listRunning(ControlCall call) throws IOException {
        list(call, EnumSet.of(SandboxState.RUNNING));
    }

    private void list(ControlCall call, Set<SandboxState> states) throws IOException {
        ListQuery query = ListQuery.parse(call.http().query(), states);
        List<SandboxInfo> found = query.choose(call.owned().list());
        List<SandboxInfo> page = found.subList(0, Math.min(query.limit(), found.size()));
        if (found.size() > page.size()) {
            call.http().put("x-next-token", ListQuery.Place.of(page.getLast()).toString());
        }
        call.http().stream(200, out -> {
            out.writeStartArray();
            for (SandboxInfo info : page) {
                out.writeStartObject();
                payloads.writeListed(info, out);
                out.writeEndObject();
            }
            out.writeEndArray();
        });
    }

    void kill(ControlCall call) throws InterruptedException {
        SandboxInfo info = call.sandbox();
        sandboxes.delete(info.id());
        quota.gone(info.id());
        call.http().empty(204);
    }

    void timeout(ControlCall call) throws IOException {
        JsonObject in = call.json();
        SandboxInfo info = call.sandbox();
        if (!in.has("timeout")) {
            throw new Refusal(400, "timeout is missing");
        }
        // Zero means now; the shortest lease is as near to it as can be.
        boolean now = in.wholeOr("timeout", Long.MIN_VALUE, Long.MAX_VALUE).orElse(1L) == 0;
        sandboxes.renew(info.id(), now ? SandboxSpec.MIN_LEASE : CreateRequest.lease(in, "timeout").orElse(SECOND_DEFAULT));
        call.http().empty(204);
    }

    void refresh(ControlCall call) throws IOException {
        SandboxInfo info = call.sandbox();
        extend(info, CreateRequest.lease(call.json(), "duration").orElse(FIRST_DEFAULT));
        call.http().empty(204);
    }

    /// Never shortens what the sandbox has.
    private SandboxInfo extend(SandboxInfo info, Duration lease) {
        Instant wanted = clock.instant().plus(lease);
        return wanted.isAfter(info.expires()) ? sandboxes.renew(info.id(), lease) : info;
    }

    void connect(ControlCall call) throws IOException, InterruptedException {
        JsonObject in = call.json();
        Duration lease = CreateRequest.lease(in, "timeout").orElse(SECOND_DEFAULT);
        SandboxInfo info = call.sandbox();
        if (info.state() == SandboxState.PAUSED) {
            refuseWithoutMemory(in);
            resume(call, info, lease);
            return;
        }
        SandboxInfo connected = extend(info, lease);
        call.http().json(200, out -> payloads.writeSandbox(connected, out));
    }

    void resume(ControlCall call) throws IOException, InterruptedException {
        SandboxInfo info = call.sandbox();
        if (info.state() != SandboxState.PAUSED) {
            throw new Refusal(409, "sandbox \"" + info.id() + "\" is running already");
        }
        resume(call, info, CreateRequest.lease(call.json(), "timeout").orElse(FIRST_DEFAULT));
    }

    private void resume(ControlCall call, SandboxInfo paused, Duration lease) throws InterruptedException {
        SandboxInfo info = sandboxes.resume(paused.id(), lease);
        call.http().json(201, out -> payloads.writeSandbox(info, out));
    }

    void pause(ControlCall call) throws IOException, InterruptedException {
        refuseWithoutMemory(call.json());
        SandboxInfo info = call.sandbox();
        try {
            sandboxes.pause(info.id());
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.WRONG_STATE) {
                throw new Refusal(409, "sandbox \"" + info.id() + "\" is already paused");
            }
            throw e;
        }
        call.http().empty(204);
    }

    private static void refuseWithoutMemory(JsonObject in) {
        if (!in.truth("memory", true)) {
            throw CreateRequest.withoutMemory("memory=false");
        }
    }

    /// Replaces what was said of the way out, whoever said it; budget and secrets stay.
    void network(ControlCall call) throws IOException, InterruptedException {
        JsonObject in = call.json();
        SandboxInfo info = call.sandbox();
        var layer = NetworkWish.ofUpdate(in).layer(ways.isOpen(), settings.internet());
        SandboxSpec spec = info.spec();
        sandboxes.setEgress(info.id(), ways.compose(layer, spec.egress().budget(), spec.egress().secrets(), spec.tenant(), spec.template()));
        call.http().empty(204);
    }
}
