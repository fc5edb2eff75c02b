package dev.caisson.fake;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Usage;
import dev.caisson.sandbox.UsageSample;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Sandboxes without walls: commands are children of the test's own process or canned streams (see [FakeCommand]), files are in a directory of the test's.
///
/// Time stands still but for a second per sandbox made, so that the order of creation is certain.
public final class FakeSandboxes implements Sandboxes, AutoCloseable {
    static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
    public static final String NO_SUCH_TEMPLATE = "missing";

    final class Box {
        final Path directory;
        final ConcurrentHashMap<CommandId, FakeCommand> commands = new ConcurrentHashMap<>();
        final AtomicLong numbers = new AtomicLong();
        final FakeFiles files;
        volatile SandboxInfo info;

        Box(SandboxInfo info) {
            this.info = info;
            this.directory = root.resolve(info.id().value());
            this.files = new FakeFiles(directory);
        }
    }

    private final Path root;
    private final Random random = new Random(7);
    private final ConcurrentHashMap<SandboxId, Box> boxes = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<SandboxId, Receipt> receipts = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<SandboxId, List<Flow>> flows = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, Integer> ports = new ConcurrentHashMap<>();
    private final AtomicLong dials = new AtomicLong();
    private final AtomicLong made = new AtomicLong();
    private volatile List<DriverInfo> known = fit(List.of(DriverName.GVISOR, DriverName.CONTAINER));
    private volatile @Nullable Failure broken;

    public FakeSandboxes(Path root) {
        this.root = root;
    }

    /// From now on every call fails like this; null mends it.
    public void breakWith(@Nullable Failure failure) {
        broken = failure;
    }

    /// From now on a port of a sandbox is this port of the test's own loopback.
    public void listen(SandboxId id, int port, int local) {
        ports.put(id + ":" + port, local);
    }

    /// How often a port was connected to.
    public long dials() {
        return dials.get();
    }

    public void drivers(List<DriverName> now) {
        known = fit(now);
    }

    /// Also drivers that the machine cannot run.
    public void known(List<DriverInfo> now) {
        known = now;
    }

    private static List<DriverInfo> fit(List<DriverName> drivers) {
        return drivers.stream().map(name -> DriverInfo.fit(name, "fake-" + name.label())).toList();
    }

    /// The last terminal size that was asked for, and so on: what a test wants to see of a command.
    public FakeCommand command(SandboxId id, String command) {
        return find(id, new CommandId(command));
    }

    public FakeFiles fakeFiles(SandboxId id) {
        return box(id).files;
    }

    private void check() {
        Failure failure = broken;
        if (failure != null) {
            throw failure.code().with(failure.message(), failure.remedy());
        }
    }

    private Box box(SandboxId id) {
        check();
        Box box = boxes.get(id);
        if (box == null) {
            throw Failure.Code.SANDBOX_NOT_FOUND.with("there is no sandbox " + id, "list them with `caisson ps`");
        }
        return box;
    }

    private FakeCommand find(SandboxId id, CommandId command) {
        FakeCommand found = box(id).commands.get(command);
        if (found == null) {
            throw Failure.Code.COMMAND_NOT_FOUND.with("there is no command " + command + " in " + id, "list them");
        }
        return found;
    }

    @Override
    public SandboxInfo create(SandboxSpec spec) {
        check();
        if (spec.template().value().equals(NO_SUCH_TEMPLATE)) {
            throw Failure.Code.TEMPLATE_NOT_FOUND.with("there is no template missing", "choose base");
        }
        Optional<SandboxInfo> same = spec.idempotencyKey().isEmpty() ? Optional.empty() : list().stream()
                .filter(info -> info.spec().tenant().equals(spec.tenant()) && info.spec().idempotencyKey().equals(spec.idempotencyKey())).findFirst();
        if (same.isPresent()) {
            if (!same.get().spec().equals(spec)) {
                throw Failure.Code.IDEMPOTENCY_MISMATCH.with("the idempotency key stands for another", "use a new one");
            }
            return same.get();
        }
        SandboxId id;
        synchronized (random) {
            id = SandboxId.random(random);
        }
        Instant created = START.plusSeconds(made.incrementAndGet());
        var box = new Box(new SandboxInfo(id, spec, SandboxState.RUNNING, "sha256:0123", created, created.plus(spec.lease()), 42));
        box.files.makeRoot();
        boxes.put(id, box);
        return box.info;
    }

    @Override
    public SandboxInfo get(SandboxId id) {
        return box(id).info;
    }

    @Override
    public List<SandboxInfo> list() {
        check();
        return boxes.values().stream().map(box -> box.info).sorted(Comparator.comparing(SandboxInfo::created)).toList();
    }

    @Override
    public CommandStream run(SandboxId id, CommandSpec command) {
        Box box = box(id);
        var made = FakeCommand.start(CommandId.of(box.numbers.incrementAndGet()), command, box.directory);
        box.commands.put(made.id(), made);
        return made.attach(0, 0);
    }

    @Override
    public CommandStream attach(SandboxId id, CommandId command, long stdoutOffset, long stderrOffset) {
        return find(id, command).attach(stdoutOffset, stderrOffset);
    }

    @Override
    public void input(SandboxId id, CommandId command, ByteBuffer data, boolean end) {
        FakeCommand found = find(id, command);
        found.input(data);
        if (end) {
            found.endInput();
        }
    }

    @Override
    public List<CommandInfo> commands(SandboxId id) {
        return box(id).commands.values().stream().map(FakeCommand::info).sorted(Comparator.comparing(info -> info.id().number())).toList();
    }

    @Override
    public void signal(SandboxId id, CommandId command, int signal) {
        find(id, command).signal(signal);
    }

    @Override
    public void resize(SandboxId id, CommandId command, TerminalSize size) {
        find(id, command).resize(size);
    }

    @Override
    public Files files(SandboxId id, Files.Rights rights) {
        return box(id).files;
    }

    @Override
    public PortConnection dial(SandboxId id, int port) {
        if (box(id).info.state() != SandboxState.RUNNING) {
            throw Failure.Code.WRONG_STATE.with("sandbox " + id + " is paused", "resume it");
        }
        Integer local = ports.get(id + ":" + port);
        if (local == null) {
            throw Failure.Code.PORT_CLOSED.with("nothing listens on port " + port, "start a server");
        }
        dials.incrementAndGet();
        return new FakePort(local);
    }

    @Override
    public SandboxInfo pause(SandboxId id) {
        return turn(id, SandboxState.RUNNING, SandboxState.PAUSED, Duration.ofHours(24));
    }

    @Override
    public SandboxInfo resume(SandboxId id, Duration lease) {
        return turn(id, SandboxState.PAUSED, SandboxState.RUNNING, lease);
    }

    /// Only its state changes: what runs in it goes on.
    private SandboxInfo turn(SandboxId id, SandboxState from, SandboxState to, Duration until) {
        Box box = box(id);
        synchronized (box) {
            SandboxInfo old = box.info;
            if (old.state() != from) {
                throw Failure.Code.WRONG_STATE.with("sandbox " + id + " is " + old.state(), "do the other thing first");
            }
            box.info = new SandboxInfo(id, old.spec(), to, old.imageDigest(), old.created(), old.created().plus(until), old.createMillis());
            return box.info;
        }
    }

    @Override
    public List<UsageSample> samples(SandboxId id, Instant from, Instant to) {
        Box box = box(id);
        var limits = box.info.spec().limits();
        var sample = new UsageSample(box.info.created(), limits.cpus(), 12.5, ByteSize.mib(20), limits.memory(), ByteSize.mib(3), ByteSize.mib(1), limits.disk());
        return sample.at().isBefore(from) || sample.at().isAfter(to) ? List.of() : List.of(sample);
    }

    @Override
    public Usage usage(SandboxId id) {
        box(id);
        return new Usage(ByteSize.mib(10), Duration.ofMillis(5));
    }

    /// The spec it shows has it from now on, as if it had been made so.
    @Override
    public SandboxInfo setEgress(SandboxId id, Egress egress) {
        Box box = box(id);
        synchronized (box) {
            SandboxInfo old = box.info;
            box.info = new SandboxInfo(id, old.spec().withEgress(egress), old.state(), old.imageDigest(), old.created(), old.expires(), old.createMillis());
            return box.info;
        }
    }

    @Override
    public List<Flow> flows(SandboxId id, long after, int limit) {
        check();
        if (!receipts.containsKey(id)) {
            box(id);
        }
        return flows.getOrDefault(id, List.of()).stream().filter(flow -> flow.number() > after).limit(limit).toList();
    }

    /// What it has tried to reach from now on.
    public void plant(SandboxId id, List<Flow> tried) {
        flows.put(id, List.copyOf(tried));
    }

    @Override
    public SandboxInfo renew(SandboxId id, Duration lease) {
        Box box = box(id);
        SandboxInfo old = box.info;
        box.info = new SandboxInfo(id, old.spec(), old.state(), old.imageDigest(), old.created(), old.created().plus(lease), old.createMillis());
        return box.info;
    }

    @Override
    public Receipt delete(SandboxId id) {
        check();
        Receipt before = receipts.get(id);
        if (before != null) {
            return before;
        }
        Box box = box(id);
        box.commands.values().forEach(FakeCommand::kill);
        box.files.close();
        SandboxInfo info = box.info;
        var receipt = new Receipt(
                id, info.spec().template(), info.spec().tier(), info.spec().driver(), info.spec().trust(), info.imageDigest(), info.created(), info.created().plusSeconds(1), EndReason.DELETED,
                usage(id), Map.of("network", 3L), List.of(new Receipt.Check(new Resource(ResourceKind.DIRECTORY, box.directory.toString()), true, "")), "keeper", info.spec().tenant());
        receipts.put(id, receipt);
        boxes.remove(id);
        return receipt;
    }

    @Override
    public Receipt receipt(SandboxId id) {
        check();
        return Optional.ofNullable(receipts.get(id)).orElseThrow(() -> Failure.Code.RECEIPT_NOT_FOUND.with("there is no receipt of " + id, "list them"));
    }

    @Override
    public List<Receipt> receipts(String tenant, int limit) {
        check();
        return receipts.values().stream().filter(receipt -> tenant.isEmpty() || receipt.tenant().equals(tenant)).sorted(Comparator.comparing(Receipt::ended).reversed()).limit(limit).toList();
    }

    @Override
    public List<TemplateInfo> templates() {
        check();
        return List.of(
                new TemplateInfo(TemplateName.BASE, Optional.of("sha256:" + "0".repeat(64)), ByteSize.mib(200), Limits.DEFAULT, "", 0),
                new TemplateInfo(new TemplateName("large"), Optional.empty(), new ByteSize(0), new Limits(Limits.DEFAULT.cpus(), ByteSize.gib(1), 256, ByteSize.gib(1), 4096), "serve", 80));
    }

    @Override
    public NodeStatus status() {
        check();
        return new NodeStatus(boxes.size(), 0, made.get(), receipts.size(), 0, 0, known, ByteSize.mib(80));
    }

    @Override
    public void close() {
        breakWith(null);
        new ArrayList<>(boxes.keySet()).forEach(this::delete);
    }
}
