package dev.caisson.policy;

import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Usage;
import dev.caisson.sandbox.UsageSample;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/// The sandboxes of one tenant: whatever is another's looks, in every call, exactly as if it had never been.
///
/// Threads: safe for many.
final class TenantSandboxes implements Sandboxes {
    private final Sandboxes all;
    private final Tenants tenants;
    private final String tenant;

    TenantSandboxes(Sandboxes all, Tenants tenants, String tenant) {
        this.all = all;
        this.tenants = tenants;
        this.tenant = tenant;
    }

    private boolean isOurs(SandboxId id) {
        return tenants.owner(id).filter(tenant::equals).isPresent();
    }

    private SandboxId ours(SandboxId id) {
        if (!isOurs(id)) {
            throw Tenants.unknown(id);
        }
        return id;
    }

    /// Whatever tenant the spec names, it is ours.
    @Override
    public SandboxInfo create(SandboxSpec spec) throws InterruptedException {
        SandboxInfo made = all.create(spec.withTenant(tenant));
        tenants.keep(made.id(), tenant);
        return made;
    }

    @Override
    public SandboxInfo get(SandboxId id) {
        return all.get(ours(id));
    }

    @Override
    public List<SandboxInfo> list() {
        return all.list().stream().filter(info -> info.spec().tenant().equals(tenant)).toList();
    }

    @Override
    public CommandStream run(SandboxId id, CommandSpec command) throws InterruptedException {
        return all.run(ours(id), command);
    }

    @Override
    public CommandStream attach(SandboxId id, CommandId command, long stdoutOffset, long stderrOffset) throws InterruptedException {
        return all.attach(ours(id), command, stdoutOffset, stderrOffset);
    }

    @Override
    public void input(SandboxId id, CommandId command, ByteBuffer data, boolean end) throws InterruptedException {
        all.input(ours(id), command, data, end);
    }

    @Override
    public List<CommandInfo> commands(SandboxId id) {
        return all.commands(ours(id));
    }

    @Override
    public void signal(SandboxId id, CommandId command, int signal) {
        all.signal(ours(id), command, signal);
    }

    @Override
    public void resize(SandboxId id, CommandId command, TerminalSize size) {
        all.resize(ours(id), command, size);
    }

    @Override
    public Files files(SandboxId id, Files.Rights rights) {
        return all.files(ours(id), rights);
    }

    @Override
    public PortConnection dial(SandboxId id, int port) throws InterruptedException {
        return all.dial(ours(id), port);
    }

    @Override
    public SandboxInfo pause(SandboxId id) throws InterruptedException {
        return all.pause(ours(id));
    }

    @Override
    public SandboxInfo resume(SandboxId id, Duration lease) throws InterruptedException {
        return all.resume(ours(id), lease);
    }

    @Override
    public List<UsageSample> samples(SandboxId id, Instant from, Instant to) {
        return all.samples(ours(id), from, to);
    }

    @Override
    public Usage usage(SandboxId id) {
        return all.usage(ours(id));
    }

    @Override
    public SandboxInfo setEgress(SandboxId id, Egress egress) throws InterruptedException {
        return all.setEgress(ours(id), egress);
    }

    /// Of an ended one too: its receipt says whose it was.
    @Override
    public List<Flow> flows(SandboxId id, long after, int limit) throws InterruptedException {
        return all.flows(ours(id), after, limit);
    }

    @Override
    public SandboxInfo renew(SandboxId id, Duration lease) {
        return all.renew(ours(id), lease);
    }

    @Override
    public Receipt delete(SandboxId id) throws InterruptedException {
        return all.delete(ours(id));
    }

    @Override
    public Receipt receipt(SandboxId id) {
        if (!isOurs(id)) {
            throw Failure.Code.RECEIPT_NOT_FOUND.with("there is no receipt " + id, "delete the sandbox first, or list receipts with GET /v1/receipts");
        }
        return all.receipt(id);
    }

    /// Of ours, whichever tenant is asked for.
    @Override
    public List<Receipt> receipts(String asked, int limit) {
        return asked.isEmpty() || asked.equals(tenant) ? all.receipts(tenant, limit) : List.of();
    }

    @Override
    public List<TemplateInfo> templates() {
        return all.templates();
    }

    @Override
    public NodeStatus status() {
        return all.status();
    }
}
