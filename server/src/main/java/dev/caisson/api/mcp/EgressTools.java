package dev.caisson.api.mcp;

import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a sandbox has tried to reach.
final class EgressTools {
    private static final int MOST_LISTED = 200;
    /// Beyond it not every client can tell two numbers apart.
    private static final long MOST_NUMBER = 1L << 53;
    private static final Schema FLOW = Schema.object()
            .required("number", Schema.whole())
            .required("began_at", Schema.text())
            .required("target", Schema.text())
            .required("protocol", Schema.text())
            .required("allowed", Schema.truth())
            .required("rule", Schema.text())
            .required("reason", Schema.text())
            .required("times", Schema.whole());

    private final Tenants tenants;

    EgressTools(Tenants tenants) {
        this.tenants = tenants;
    }

    List<Tool> all() {
        return List.of(new Tool("list_egress", "List what a sandbox tried to reach",
                "What a sandbox has tried to reach outside, oldest first, at most " + MOST_LISTED + ": where to, whether it was let through, the rule that decided and why. Ask this when a download or a request fails. "
                        + "What is denied stays so for this sandbox; the hosts that one may reach are said when it is made.",
                Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .optional("after", Schema.whole(0, MOST_NUMBER).byDefault(0).says("Only entries with a greater number.")),
                Schema.object().required("flows", Schema.list(FLOW)), Tool.Effect.READS, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    long after = in.wholeOr("after", 0, MOST_NUMBER).orElse(0L);
                    return call -> result(tenants.of(call.caller()).flows(id, after, MOST_LISTED));
                }));
    }

    private static Tool.Result result(List<Flow> flows) {
        var text = new StringBuilder(flows.isEmpty() ? "It has tried to reach nothing." : flows.size() + " attempts" + (flows.size() == MOST_LISTED ? ", ask again with after for more:" : ":"));
        flows.forEach(flow -> text.append('\n').append(flow.number()).append(flow.allowed() ? " allowed " : " denied ").append(flow.protocol()).append(' ').append(target(flow))
                .append(" (").append(flow.rule()).append(')').append(flow.reason().isEmpty() ? "" : ": " + Failure.shown(flow.reason(), 200)).append(flow.count() > 1 ? ", " + flow.count() + " times" : ""));
        return new Tool.Result(text.toString(), Map.of("flows", flows.stream().map(EgressTools::facts).toList()));
    }

    private static Map<String, Object> facts(Flow flow) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("number", flow.number());
        facts.put("began_at", flow.began().toString());
        facts.put("target", target(flow));
        facts.put("protocol", flow.protocol());
        facts.put("allowed", flow.allowed());
        facts.put("rule", flow.rule());
        facts.put("reason", flow.reason());
        facts.put("times", flow.count());
        return facts;
    }

    private static String target(Flow flow) {
        String place = flow.host().isEmpty() ? flow.address().indexOf(':') >= 0 ? "[" + flow.address() + "]" : flow.address() : flow.host();
        return Failure.shown(place, 260) + (flow.port() == 0 ? "" : ":" + flow.port());
    }
}
