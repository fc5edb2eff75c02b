package dev.caisson.json;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SecretBinding;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Usage;
import dev.caisson.sandbox.UsageSample;
import java.util.List;
import java.util.function.Function;

/// Every form there is. `docs/openapi.yaml` describes the same keys for people.
public final class Forms {
    /// `cpus, memory_bytes, processes, disk_bytes, open_files`
    public static final Form<Limits> LIMITS = new LimitsForm();
    /// `allow` or `deny`, `name, ports, protocols, methods, paths, requests, inspect`; all but the first may be absent. In a list of rules a text is what [EgressRule#allow(String)] reads
    public static final Form<EgressRule> EGRESS_RULE = new EgressRuleForm();
    /// `name, mode, rules`; without `mode` the rules are a list, and none of them means that nothing leaves. Presets are refused
    public static final Form<EgressLayer> EGRESS_LAYER = egressLayer(EgressLayerForm::noPreset);
    /// `connections, bytes, requests_per_second`; whatever is absent is as in [EgressBudget#DEFAULT]
    public static final Form<EgressBudget> EGRESS_BUDGET = new EgressBudgetForm();
    /// `name, placeholder, hosts, places, sealed`
    public static final Form<SecretBinding> SECRET_BINDING = new SecretBindingForm(true);
    /// `layers, budget, secrets`
    public static final Form<Egress> EGRESS = new EgressForm(SECRET_BINDING);
    /// `name, placeholder, hosts, places`, for everybody outside; cannot be read back
    public static final Form<SecretBinding> SECRET_SHOWN = new SecretBindingForm(false);
    /// As [#EGRESS] without what is sealed, for everybody outside; one with secrets cannot be read back
    public static final Form<Egress> EGRESS_SHOWN = new EgressForm(SECRET_SHOWN);
    /// `mode, rules, budget`: what a request said of it
    public static final Form<Egress> EGRESS_ASKED = new EgressAskedForm();
    /// `number, began_at, ended_at, host, address, port, protocol, request, rule, allowed, reason, sent_bytes, received_bytes, count`
    public static final Form<Flow> FLOW = new FlowForm();

    /// `template, trust, tier, driver`, `isolation` where that is emulated, the keys of [#LIMITS], `lease_seconds, env, labels, tenant, idempotency_key, on_lease_end, public_ports, egress`
    public static final Form<SandboxSpec> SANDBOX_SPEC = new SandboxSpecForm(true);
    /// `id, state, spec, image_digest, created_at, expires_at, create_ms`; with sealed secrets, so never for somebody outside
    public static final Form<SandboxInfo> SANDBOX_INFO = new SandboxInfoForm(SANDBOX_SPEC);
    /// The same with [#EGRESS_ASKED], and with [#SECRET_SHOWN] under `secrets`; without either where there is nothing to say
    public static final Form<SandboxInfo> SANDBOX_INFO_SHOWN = new SandboxInfoForm(new SandboxSpecForm(false));
    /// `peak_memory_bytes, cpu_ms`
    public static final Form<Usage> USAGE = new UsageForm();
    /// `at, cpus, cpu_used_percent, memory_used_bytes, memory_total_bytes, memory_cache_bytes, disk_used_bytes, disk_total_bytes`
    public static final Form<UsageSample> USAGE_SAMPLE = new UsageSampleForm();
    /// `kind, name`
    public static final Form<Resource> RESOURCE = new ResourceForm();
    /// `id, template, tier, driver`, `isolation` where that is emulated, `trust, image_digest, created_at, ended_at, reason, by, usage, denied, leaks, resources, tenant`
    public static final Form<Receipt> RECEIPT = new ReceiptForm();
    /// `alive, standing_by, created, deleted, failed, leaked, tiers, resident_memory_bytes`, and `drivers` with `name, tier, isolation, program, fit, unfit`
    public static final Form<NodeStatus> NODE_STATUS = new NodeStatusForm();
    /// `name, digest, size_bytes`, the keys of [#LIMITS] below `limits`, `start, ready_port`; `digest` is absent for one that is not built
    public static final Form<TemplateInfo> TEMPLATE_INFO = new TemplateInfoForm();

    /// `columns, rows`
    public static final Form<TerminalSize> TERMINAL_SIZE = new TerminalSizeForm();
    /// `argv, env, cwd, user, terminal, timeout_ms, output_limit_bytes, stdin, tag, unread`; all but `argv` may be absent and mean the record's defaults
    public static final Form<CommandSpec> COMMAND_SPEC = new CommandSpecForm();
    /// `outcome, status, wall_ms, cpu_ms`
    public static final Form<CommandResult> COMMAND_RESULT = new CommandResultForm();
    /// `id, argv, pid, result`
    public static final Form<CommandInfo> COMMAND_INFO = new CommandInfoForm();
    /// `event` and its keys; an output's bytes are not in it and come back empty
    public static final Form<CommandEvent> COMMAND_EVENT = new CommandEventForm();

    /// `name, path, raw_name_base64, kind, size_bytes, mode, owner, group, modified_at, link_target`
    public static final Form<FileInfo> FILE_INFO = new FileInfoForm();
    /// `event, path`
    public static final Form<FileEvent> FILE_EVENT = new FileEventForm();

    /// `code, message, remedy`
    public static final Form<Failure> FAILURE = new FailureForm();

    private Forms() {}

    /// As [#EGRESS_LAYER], where a rule may also be `{"preset": NAME}`, which stands for that preset's rules.
    ///
    /// @param presets the rules of a preset by its name; throws for one that is not there
    public static Form<EgressLayer> egressLayer(Function<String, List<EgressRule>> presets) {
        return new EgressLayerForm(presets);
    }
}
