package dev.caisson.api.mcp;

import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Quota;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Trust;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Making, listing and ending sandboxes.
final class SandboxTools {
    /// A conversation takes longer than a request of a program.
    private static final Duration DEFAULT_LEASE = Duration.ofMinutes(15);
    private static final int MOST_LISTED = 100;
    private static final int MOST_VARIABLES = 256;
    private static final Schema SIZE = Schema.text(32).with("pattern", "^[0-9]{1,12} ?([kKmMgG]?i?[bB]|[kKmMgG])?$");
    private static final Schema SANDBOX = Schema.object()
            .required("sandbox_id", Schema.text())
            .required("state", Schema.text())
            .required("template", Schema.text())
            .required("tier", Schema.text().says("What isolates it: microvm (a kernel of its own), gvisor (a kernel in user space)."))
            .optional("driver", Schema.text())
            .optional("isolation", Schema.text().says("There only where its wall is emulated, and is no security boundary."))
            .required("cpus", Schema.text())
            .required("memory", Schema.text())
            .required("disk", Schema.text())
            .required("created_at", Schema.text())
            .required("expires_at", Schema.text());
    private static final Schema RECEIPT = Schema.object()
            .required("sandbox_id", Schema.text())
            .required("reason", Schema.text().says("Why it ended."))
            .required("created_at", Schema.text())
            .required("ended_at", Schema.text())
            .required("cpu_seconds", Schema.number())
            .required("peak_memory_bytes", Schema.whole())
            .required("refused", new Schema(Map.of("type", "object")).says("What its limits refused, and how often."))
            .required("resources", Schema.whole().says("Resources of the host that it held."))
            .required("leaks", Schema.whole().says("How many of them are still there; anything but 0 is a fault."));

    private final Tenants tenants;
    private final Quota quota;
    private final TierPolicy tiers;
    private final WayOut ways;

    SandboxTools(Tenants tenants, TierPolicy tiers, Quota quota, WayOut ways) {
        this.tenants = tenants;
        this.quota = quota;
        this.tiers = tiers;
        this.ways = ways;
    }

    List<Tool> all() {
        return List.of(create(), list(), extend(), kill(), receipt());
    }

    private Tool create() {
        return new Tool("create_sandbox", "Create a sandbox",
                "Makes a sandbox: a Linux machine of its own, isolated from this one and from all others, and answers its sandbox_id. It takes under a second. "
                        + "It has no network but to the hosts named in allow. It lives for timeout_seconds from now, whatever runs in it, and is then gone with all its files (extend_sandbox gives it more time). "
                        + "Limits are hard: above its memory the sandbox is killed, above its disk writes fail, above its processes forks fail, a busy loop gets its cpus and no more. "
                        + "Use one sandbox for a whole task rather than one for each command.",
                Schema.object()
                        .optional("template", Schema.text().with("pattern", "^[a-z0-9][a-z0-9._-]{0,63}$").byDefault("base").says("What it starts from. base has Python 3, Node.js and bash."))
                        .optional("timeout_seconds", Schema.whole(1, SandboxSpec.MAX_LEASE.toSeconds()).byDefault(DEFAULT_LEASE.toSeconds()).says("How long it may live."))
                        .optional("cpus", Schema.number().with("minimum", 0.01).with("maximum", 256).with("multipleOf", 0.001).byDefault(1).says("CPU time per second; 2 means two whole CPUs."))
                        .optional("memory", SIZE.byDefault(Limits.DEFAULT.memory().toString()).says("Such as 512MiB or 2GiB. At least " + Limits.MIN_MEMORY + "."))
                        .optional("disk", SIZE.byDefault(Limits.DEFAULT.disk().toString()).says("What it may write. At least " + Limits.MIN_DISK + "."))
                        .optional("processes", Schema.whole(8, 32_768).byDefault(Limits.DEFAULT.processes()).says("Processes and threads at a time."))
                        .optional("env", Schema.textMap(MOST_VARIABLES).says("Environment variables of every command in it."))
                        .optional("allow", Schema.list(Schema.text(300)).with("maxItems", EgressLayer.MAX_RULES).says("Hosts that it may reach, and no others: api.example.com, *.example.com (every name below it), "
                                + "host:8443, host:5432/tcp, 192.0.2.0/24. Without a port: HTTPS and HTTP. Where the operator allows less, list_egress says so.")),
                SANDBOX, Tool.Effect.CHANGES, in -> {
                    var template = in.textOr("template").map(TemplateName::new).orElse(TemplateName.BASE);
                    Duration lease = lease(in).orElse(DEFAULT_LEASE);
                    var limits = new Limits(
                            in.number("cpus").map(number -> Cpus.parse(number.toPlainString())).orElse(Limits.DEFAULT.cpus()), size(in, "memory").orElse(Limits.DEFAULT.memory()),
                            in.wholeOr("processes", 8, 32_768).map(Long::intValue).orElse(Limits.DEFAULT.processes()), size(in, "disk").orElse(Limits.DEFAULT.disk()), Limits.DEFAULT.openFiles());
                    Map<String, String> env = in.map("env");
                    if (env.size() > MOST_VARIABLES) {
                        throw Failure.Code.OUT_OF_RANGE.with("'env' has more than " + MOST_VARIABLES + " variables", "pass them in a file");
                    }
                    var allowed = in.texts("allow").orElse(List.of()).stream().map(EgressRule::allow).toList();
                    var layer = allowed.isEmpty() ? EgressLayer.NONE : new EgressLayer(EgressLayer.REQUEST, EgressLayer.Mode.LIST, allowed);
                    return call -> create(call, template, lease, limits, env, layer);
                });
    }

    private Tool.Result create(ToolCall call, TemplateName template, Duration lease, Limits limits, Map<String, String> env, EgressLayer layer) throws InterruptedException {
        // What a model runs is untrusted, always; so the wall is the strongest that such code needs.
        var wall = tiers.choose(Trust.UNTRUSTED, call.tenant(), Optional.empty(), Optional.empty());
        var chosen = new SandboxSpec(template, Trust.UNTRUSTED, wall.tier(), limits, lease, env, Map.of(), call.tenant(), "");
        var spec = wall.driver().map(chosen::withDriver).orElse(chosen).withEgress(ways.compose(layer, EgressBudget.DEFAULT, List.of(), call.tenant(), template));
        SandboxInfo made = quota.create(call.caller(), spec);
        if (call.running().isCancelled()) {
            // Nobody will ever know its id.
            tenants.of(call.caller()).delete(made.id());
            quota.gone(made.id());
        }
        return new Tool.Result("sandbox_id: " + made.id() + "\nIt lives until " + made.expires() + ", unless it is extended or killed." + isolation(made).map(isolation -> "\nIts wall is " + isolation + ".").orElse(""), facts(made));
    }

    private Tool list() {
        return new Tool("list_sandboxes", "List sandboxes",
                "The sandboxes of this key that are alive now, newest first, at most " + MOST_LISTED + ". Others may be using some of them.",
                Schema.object(),
                Schema.object().required("sandboxes", Schema.list(SANDBOX)).required("alive", Schema.whole().says("How many there are, listed or not.")), Tool.Effect.READS,
                _ -> call -> {
                    List<SandboxInfo> own = tenants.of(call.caller()).list().stream().sorted(Comparator.comparing(SandboxInfo::created).reversed()).toList();
                    var shown = own.stream().limit(MOST_LISTED).toList();
                    var text = new StringBuilder(own.isEmpty() ? "No sandbox is alive." : own.size() + " alive" + (own.size() > shown.size() ? ", the newest " + shown.size() + ":" : ":"));
                    shown.forEach(info -> text.append('\n').append(info.id()).append(' ').append(word(info.state())).append(", ").append(info.spec().template()).append(", until ").append(info.expires()));
                    return new Tool.Result(text.toString(), Map.of("sandboxes", shown.stream().map(SandboxTools::facts).toList(), "alive", own.size()));
                });
    }

    private Tool extend() {
        return new Tool("extend_sandbox", "Give a sandbox more time",
                "Moves the end of a sandbox's life to timeout_seconds from now (a shorter time brings it nearer).",
                Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .required("timeout_seconds", Schema.whole(1, SandboxSpec.MAX_LEASE.toSeconds())),
                SANDBOX, Tool.Effect.CHANGES, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    Duration lease = lease(in).orElseThrow(() -> Failure.Code.BAD_REQUEST.with("'timeout_seconds' is missing", "say for how long from now"));
                    return call -> {
                        SandboxInfo info = tenants.of(call.caller()).renew(id, lease);
                        return new Tool.Result(id + " lives until " + info.expires(), facts(info));
                    };
                });
    }

    private Tool kill() {
        return new Tool("kill_sandbox", "End a sandbox",
                "Ends a sandbox at once, with all its processes and files; nothing of it can be had back. Answers its receipt: what it used, and that everything it held is gone. "
                        + "Asked again, answers the same receipt.",
                Schema.object().required("sandbox_id", Tools.sandboxId()),
                RECEIPT, Tool.Effect.DESTROYS, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    return call -> {
                        Receipt receipt = tenants.of(call.caller()).delete(id);
                        quota.gone(id);
                        return result(receipt);
                    };
                });
    }

    private Tool receipt() {
        return new Tool("get_receipt", "Get the receipt of an ended sandbox",
                "What a sandbox that has ended left behind: why it ended (deleted, lease-over, out-of-memory, …), what it used, what its limits refused it, and whether all is gone. "
                        + "Ask this when a sandbox is not found any more and you want to know why.",
                Schema.object().required("sandbox_id", Tools.sandboxId()),
                RECEIPT, Tool.Effect.READS, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    return call -> result(tenants.of(call.caller()).receipt(id));
                });
    }

    private static Optional<Duration> lease(JsonObject in) {
        return in.wholeOr("timeout_seconds", 1, SandboxSpec.MAX_LEASE.toSeconds()).map(Duration::ofSeconds);
    }

    private static Optional<ByteSize> size(JsonObject in, String name) {
        return in.textOr(name).map(text -> ByteSize.parse(Tools.bounded(name, text, 32)));
    }

    private static Map<String, Object> facts(SandboxInfo info) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("sandbox_id", info.id().value());
        facts.put("state", word(info.state()));
        facts.put("template", info.spec().template().value());
        facts.put("tier", info.spec().tier().label());
        info.spec().driver().ifPresent(driver -> facts.put("driver", driver.label()));
        isolation(info).ifPresent(isolation -> facts.put("isolation", isolation));
        facts.put("cpus", info.spec().limits().cpus().toString());
        facts.put("memory", info.spec().limits().memory().toString());
        facts.put("disk", info.spec().limits().disk().toString());
        facts.put("created_at", info.created().toString());
        facts.put("expires_at", info.expires().toString());
        return facts;
    }

    private static Optional<String> isolation(SandboxInfo info) {
        return info.spec().driver().filter(DriverName::isEmulated).map(_ -> DriverName.EMULATED);
    }

    private static Tool.Result result(Receipt receipt) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("sandbox_id", receipt.id().value());
        facts.put("reason", word(receipt.reason()));
        facts.put("created_at", receipt.created().toString());
        facts.put("ended_at", receipt.ended().toString());
        facts.put("cpu_seconds", receipt.usage().cpu().toMillis() / 1000.0);
        facts.put("peak_memory_bytes", receipt.usage().peakMemory().bytes());
        facts.put("refused", receipt.denied());
        facts.put("resources", receipt.resources().size());
        facts.put("leaks", receipt.leaks());
        String refused = receipt.denied().isEmpty() ? "" : ", refused " + receipt.denied();
        return new Tool.Result(
                receipt.id() + " ended at " + receipt.ended() + " (" + word(receipt.reason()) + "): used " + receipt.usage().cpu().toMillis() / 1000.0 + " s of CPU and at most "
                        + receipt.usage().peakMemory().bytes() / (1 << 20) + " MiB" + refused + "; " + receipt.resources().size() + " resources, " + receipt.leaks() + " left",
                facts);
    }

    private static String word(Enum<?> constant) {
        return Json.label(constant);
    }
}
