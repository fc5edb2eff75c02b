package dev.caisson.api.rest;

import dev.caisson.json.JsonObject;
import dev.caisson.policy.Quota;
import dev.caisson.policy.Secrets;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Turns the body of `POST /v1/sandboxes` into a spec: every default becomes explicit here, once.
final class SandboxRequest {
    private SandboxRequest() {}

    static SandboxSpec read(Call call, TierPolicy tiers, WayOut ways, Sandboxes sandboxes) throws IOException {
        JsonObject in = call.json();
        TemplateName template = in.textOr("template").map(TemplateName::new).orElse(TemplateName.BASE);
        Trust trust = in.textOr("trust").map(Trust::parse).orElse(Trust.UNTRUSTED);
        var tier = in.textOr("tier").map(Tier::parse);
        var driver = in.textOr("driver").map(DriverName::parse);
        checkIsolation(in.textOr("isolation"));
        Limits limits = limits(in, defaults(template, sandboxes));
        var lease = in.seconds("lease_seconds").orElse(SandboxSpec.DEFAULT_LEASE);
        var env = in.map("env");
        var labels = labels(in);
        String tenant = tenant(call, in.textOr("tenant"));
        String idempotencyKey = idempotencyKey(call.request().getHeaders().get("Idempotency-Key"), in.textOr("idempotency_key"));
        var onLeaseEnd = in.has("on_lease_end") ? in.word("on_lease_end", SandboxSpec.OnLeaseEnd.class) : SandboxSpec.OnLeaseEnd.DELETE;
        boolean publicPorts = in.truth("public_ports", false);
        boolean keepsSecrets = in.has("secrets") && !in.isEmptyList("secrets");
        var out = egress(in.child("egress").orElseGet(JsonObject::empty), ways, keepsSecrets);
        var secrets = EgressRequest.secrets(in, ways);
        in.end();
        secrets = Secrets.asBefore(tenant, idempotencyKey, secrets, sandboxes);
        var egress = ways.compose(out.layer(), out.budget().orElse(EgressBudget.DEFAULT), secrets, tenant, template);
        var wall = tiers.choose(trust, tenant, tier, driver);
        return new SandboxSpec(
                template, trust, wall.tier(), limits, lease, Secrets.variables(env, secrets), labels, tenant, idempotencyKey, onLeaseEnd, publicPorts, egress, wall.driver());
    }

    /// It is taken because a spec that was answered may be sent again; it is no wish.
    private static void checkIsolation(Optional<String> said) {
        if (said.filter(text -> !text.equals(DriverName.EMULATED)).isPresent()) {
            throw Failure.Code.BAD_REQUEST.with("'isolation' cannot be asked for", "choose with 'tier' and 'driver'");
        }
    }

    private static EgressRequest egress(JsonObject in, WayOut ways, boolean secrets) {
        EgressRequest asked = EgressRequest.read(in, ways, secrets);
        in.end();
        return asked;
    }

    /// Only whoever sees all may choose.
    private static String tenant(Call call, Optional<String> asked) {
        String own = call.caller().seesAll() ? SandboxSpec.DEFAULT_TENANT : call.caller().tenant();
        if (!call.caller().seesAll() && asked.isPresent() && !asked.get().equals(own)) {
            throw Failure.Code.NOT_PERMITTED.with("this key makes sandboxes of tenant " + own + " only", "leave 'tenant' away, or use a key of that tenant");
        }
        return asked.orElse(own);
    }

    private static String idempotencyKey(@Nullable String header, Optional<String> body) {
        if (header == null) {
            return body.orElse("");
        }
        if (header.isEmpty() || body.isPresent() && !body.get().equals(header)) {
            throw Failure.Code.BAD_REQUEST.with(header.isEmpty() ? "the header Idempotency-Key is empty" : "the header Idempotency-Key and 'idempotency_key' differ", "give one of them");
        }
        return header;
    }

    /// A template that is not there is refused by whoever makes the sandbox.
    private static Limits defaults(TemplateName template, Sandboxes sandboxes) {
        if (template.equals(TemplateName.BASE)) {
            return Limits.DEFAULT;
        }
        return sandboxes.templates().stream().filter(known -> known.name().equals(template)).map(TemplateInfo::limits).findFirst().orElse(Limits.DEFAULT);
    }

    private static Limits limits(JsonObject in, Limits absent) {
        return new Limits(
                in.number("cpus").map(number -> Cpus.parse(number.toPlainString())).orElse(absent.cpus()),
                size(in, "memory", absent.memory()),
                in.wholeOr("processes", Integer.MIN_VALUE, Integer.MAX_VALUE).map(Long::intValue).orElse(absent.processes()),
                size(in, "disk", absent.disk()),
                in.wholeOr("open_files", Integer.MIN_VALUE, Integer.MAX_VALUE).map(Long::intValue).orElse(absent.openFiles()));
    }

    private static ByteSize size(JsonObject in, String name, ByteSize absent) {
        var withUnit = in.size(name);
        var bytes = in.wholeOr(name + "_bytes", 0, Long.MAX_VALUE).map(ByteSize::new);
        if (withUnit.isPresent() && bytes.isPresent()) {
            throw Failure.Code.BAD_REQUEST.with("both '" + name + "' and '" + name + "_bytes' are given", "give one of them");
        }
        return withUnit.or(() -> bytes).orElse(absent);
    }

    private static Map<String, String> labels(JsonObject in) {
        var labels = in.map("labels");
        for (String name : labels.keySet()) {
            if (name.isEmpty() || name.startsWith(Quota.RESERVED_PREFIX)) {
                throw Failure.Code.BAD_REQUEST.with("a label cannot be named '" + Failure.shown(name) + "'", "names are not empty and do not start with " + Quota.RESERVED_PREFIX);
            }
        }
        return labels;
    }
}
