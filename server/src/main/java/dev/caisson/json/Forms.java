package dev.caisson.json;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Usage;
import dev.caisson.sandbox.UsageSample;

/// Every form there is. `docs/openapi.yaml` describes the same keys for people.
public final class Forms {
    /// `cpus, memory_bytes, processes, disk_bytes, open_files`
    public static final Form<Limits> LIMITS = new LimitsForm();
    /// `template, trust, tier`, the keys of [#LIMITS], `lease_seconds, env, labels, tenant, idempotency_key, on_lease_end`
    public static final Form<SandboxSpec> SANDBOX_SPEC = new SandboxSpecForm();
    /// `id, state, spec, image_digest, created_at, expires_at, create_ms`
    public static final Form<SandboxInfo> SANDBOX_INFO = new SandboxInfoForm();
    /// `peak_memory_bytes, cpu_ms`
    public static final Form<Usage> USAGE = new UsageForm();
    /// `at, cpus, cpu_used_percent, memory_used_bytes, memory_total_bytes, memory_cache_bytes, disk_used_bytes, disk_total_bytes`
    public static final Form<UsageSample> USAGE_SAMPLE = new UsageSampleForm();
    /// `kind, name`
    public static final Form<Resource> RESOURCE = new ResourceForm();
    /// `id, template, tier, trust, image_digest, created_at, ended_at, reason, by, usage, denied, leaks, resources, tenant`
    public static final Form<Receipt> RECEIPT = new ReceiptForm();
    /// `alive, created, deleted, failed, leaked, tiers, resident_memory_bytes`
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
}
