package dev.caisson.node;

import dev.caisson.egress.GatewayLink;
import dev.caisson.image.Images;
import dev.caisson.image.RootImage;
import dev.caisson.image.StartCommand;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.WarmUp;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Usage;
import dev.caisson.sandbox.UsageSample;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// This machine's sandboxes: the [Sandboxes] of one node.
///
/// Threads: safe for many. Cleanup: close stops keeping; the sandboxes live on until a node comes back or the deadman ends them.
public final class Node implements Sandboxes, AutoCloseable {
    /// Sandboxes alive at a time.
    static final int MAX_ALIVE = 2_000;
    /// Sandboxes being started at a time: starting costs CPU, and more at once only makes each slower.
    private static final int MAX_STARTING_PER_CPU = 4;

    private static final int MAX_FLOWS = 1_000;

    private final Machine machine;
    private final Images images;
    private final Store store;
    private final Slots slots = new Slots(MAX_ALIVE);
    private final int mostStarting = MAX_STARTING_PER_CPU * Runtime.getRuntime().availableProcessors();
    private final Semaphore starting = new Semaphore(mostStarting, true);
    private final Standbys standbys;
    private final ConcurrentHashMap<SandboxId, Keeper> keepers = new ConcurrentHashMap<>();
    private final List<Thread> threads = new ArrayList<>();
    private final Namesakes namesakes = new Namesakes();
    private final Thread sampler = Thread.ofVirtual().name("sampler").unstarted(this::sampleAll);
    private volatile boolean closed;

    private Node(Machine machine, Images images, Store store, int standbys) {
        this.standbys = new Standbys(machine, slots, standbys, () -> mostStarting - starting.availablePermits() >= Runtime.getRuntime().availableProcessors());
        this.machine = machine;
        this.images = images;
        this.store = store;
    }

    /// Opens this machine's node: reads the journal, takes up what lives, ends what does not.
    public static Node open(NodeParts parts) throws InterruptedException, IOException {
        // The journal holds what callers gave, their environment too.
        java.nio.file.Files.createDirectories(parts.home().node());
        java.nio.file.Files.setPosixFilePermissions(parts.home().node(), PosixFilePermissions.fromString("rwx------"));
        // 0711: a sandbox's own users must reach what is mounted for them below, and need to list nothing on the way.
        for (Path directory : List.of(parts.home().run(), parts.home().sandboxes())) {
            java.nio.file.Files.createDirectories(directory);
            java.nio.file.Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
        }
        var store = Store.open(parts.home().node().resolve("node.db"));
        Plugs plugs = null;
        try {
            var journal = new Journal(store);
            var teardown = new Teardown(parts.reclaimer(), parts.cgroups(), parts.home(), parts.clock());
            var held = Stream.concat(
                    journal.entries().stream().map(JournalEntry::network),
                    // Of an earlier node: ended in a moment, by the sweep.
                    journal.standbys().values().stream().flatMap(Standby::networks)).collect(Collectors.toSet());
            plugs = Plugs.open(parts.home(), parts.reclaimer(), held, parts.random().nextInt());
            var machine = new Machine(
                    parts.home(), journal, teardown, parts.cgroups(), parts.drivers(), Uptime.ofThisBoot(), new Alarms(), parts.clock(), parts.random(), parts.maxPaused(), plugs,
                    GatewayLink.to(parts.home().gatewaySocket()));
            var node = new Node(machine, parts.images(), store, parts.standbys());
            node.takeUp(new Sweep(machine, parts.reclaimer()).sweep());
            machine.gateway().start();
            node.sampler.start();
            node.standbys.start();
            return node;
        } catch (InterruptedException | IOException | RuntimeException e) {
            if (plugs != null) {
                plugs.close();
            }
            store.close();
            throw e;
        }
    }

    private void takeUp(List<JournalEntry> alive) {
        for (JournalEntry entry : alive) {
            slots.keep(entry.slot());
            var keeper = new Keeper(machine, entry.boot(machine.home()), entry);
            keeper.expectToTakeUp();
            keeper.rememberWayOut();
            keepers.put(entry.id(), keeper);
            namesakes.keep(keeper);
            keep(keeper, keeper::goOn);
        }
    }

    /// One thread for all, so that a hundred sandboxes cost a hundred small reads a period.
    private void sampleAll() {
        try {
            while (true) {
                Thread.sleep(UsageHistory.PERIOD);
                keepers.values().stream().filter(Keeper::isThere).forEach(keeper -> keeper.usage().sampleInTurn());
            }
        } catch (InterruptedException _) {
            // The node closes.
        }
    }

    @Override
    public SandboxInfo create(SandboxSpec spec) throws InterruptedException {
        SandboxSpec chosen = spec.withDriver(machine.drivers().forNew(spec).kind());
        if (spec.idempotencyKey().isEmpty()) {
            return make(chosen, _ -> {}).awaitRunning();
        }
        return namesakes.oneOf(chosen, whenMade -> make(chosen, whenMade)).awaitRunning();
    }

    /// @param whenMade told of the keeper before it starts
    private Keeper make(SandboxSpec spec, Consumer<Keeper> whenMade) throws InterruptedException {
        long started = machine.uptime().now();
        RootImage image = images.resolve(spec.template());
        if (!spec.egress().isNone()) {
            machine.plugs().requireWayOut();
        }
        var start = images.start(spec.template());
        starting.acquire();
        try {
            refuseWhenClosed();
            var place = place(spec, content(image, start));
            var boot = place.boot();
            var resources = machine.drivers().of(spec).resources(boot);
            var entry = new JournalEntry(
                    boot.id(), spec, image.digest(), SandboxState.CREATING, boot.slot(), machine.clock().instant(), started + spec.lease().toNanos(), machine.uptime().bootId(), 0, OptionalLong.empty(), Optional.empty(), resources, List.of());
            var keeper = new Keeper(machine, boot, entry);
            keepers.put(boot.id(), keeper);
            whenMade.accept(keeper);
            keep(keeper, () -> keeper.live(started, start, place.standby()));
            try {
                keeper.awaitRunning();
            } catch (InterruptedException e) {
                // Nobody will hear of it, so nobody could delete it.
                keeper.end(EndReason.CREATE_FAILED);
                throw e;
            }
            return keeper;
        } finally {
            starting.release();
            standbys.started();
        }
    }

    private static Boot.Content content(RootImage root, Optional<StartCommand> start) {
        var warmUp = start.map(command -> new WarmUp(command.command(), command.user(), command.port(), command.patience()));
        return new Boot.Content(new Boot.Image(root.digest(), root.file(), root.directory()), warmUp, Seeds.ALWAYS);
    }

    /// Where a sandbox will live.
    ///
    /// @param standby a machine that is there already
    private record Place(Boot boot, Optional<Standby> standby) {}

    private Place place(SandboxSpec spec, Boot.Content content) throws InterruptedException {
        Optional<Standby> standby = standbys.take(spec, content);
        if (standby.isPresent()) {
            return new Place(standby.get().boot().with(spec), standby);
        }
        int slot = slot();
        try {
            return new Place(machine.boot(SandboxId.random(machine.random()), spec, content, slot, machine.plugs().take()), standby);
        } catch (InterruptedException | SandboxException e) {
            slots.free(slot);
            throw e;
        }
    }

    /// Whoever stands by makes room for whoever comes.
    private int slot() throws InterruptedException {
        try {
            return slots.take();
        } catch (SandboxException e) {
            if (standbys.surrender()) {
                return slots.take();
            }
            throw e;
        }
    }

    @FunctionalInterface
    private interface Life {
        void live() throws InterruptedException;
    }

    private void keep(Keeper keeper, Life life) {
        var id = keeper.entry().id();
        keeper.onOver(() -> {
            keepers.remove(id);
            namesakes.forget(keeper);
            slots.free(keeper.entry().slot());
        });
        var thread = Thread.ofVirtual().name("keeper-" + id).unstarted(() -> {
            try {
                life.live();
            } catch (InterruptedException _) {
                // The node closes; the sandbox lives on.
            } catch (RuntimeException e) {
                System.getLogger(Node.class.getName()).log(System.Logger.Level.ERROR, "sandbox=" + id + " its keeper failed; the deadman will end it when its lease is over", e);
            } finally {
                synchronized (threads) {
                    threads.remove(Thread.currentThread());
                }
            }
        });
        synchronized (threads) {
            threads.add(thread);
        }
        thread.start();
    }

    @Override
    public SandboxInfo get(SandboxId id) {
        return keeper(id).info();
    }

    @Override
    public List<SandboxInfo> list() {
        return keepers.values().stream().map(Keeper::info).sorted(Comparator.comparing(SandboxInfo::created).thenComparing(info -> info.id().value())).toList();
    }

    @Override
    public CommandStream run(SandboxId id, CommandSpec command) throws InterruptedException {
        return keeper(id).commands().start(command);
    }

    @Override
    public CommandStream attach(SandboxId id, CommandId command, long stdoutOffset, long stderrOffset) throws InterruptedException {
        return keeper(id).commands().attach(command, stdoutOffset, stderrOffset);
    }

    @Override
    public void input(SandboxId id, CommandId command, ByteBuffer data, boolean end) throws InterruptedException {
        keeper(id).commands().input(command, data, end);
    }

    @Override
    public List<CommandInfo> commands(SandboxId id) {
        return uninterrupted(() -> keeper(id).commands().list());
    }

    @Override
    public void signal(SandboxId id, CommandId command, int signal) {
        if (signal < 1 || signal > 64) {
            throw Failure.Code.OUT_OF_RANGE.with("signals are 1 to 64, got " + signal, "15 is SIGTERM, 9 is SIGKILL");
        }
        uninterrupted(() -> {
            keeper(id).commands().signal(command, signal);
            return true;
        });
    }

    @Override
    public void resize(SandboxId id, CommandId command, TerminalSize size) {
        uninterrupted(() -> {
            var keeper = keeper(id);
            var agent = keeper.agent();
            keeper.commands().get(command);
            agent.resize(command, size);
            return true;
        });
    }

    @Override
    public Files files(SandboxId id, Files.Rights rights) {
        return uninterrupted(() -> keeper(id).agent().files(rights));
    }

    @Override
    public PortConnection dial(SandboxId id, int port) throws InterruptedException {
        if (port < 1 || port > 65_535) {
            throw Failure.Code.OUT_OF_RANGE.with("ports are 1 to 65535, got " + port, "name the port that the server in the sandbox listens on");
        }
        try {
            return keeper(id).agent().dial(port);
        } catch (LinkException e) {
            throw Failure.Code.GUEST_FAILED.with("the sandbox did not answer: " + e.getMessage(), "look whether it still lives with `caisson ps`", e);
        }
    }

    @Override
    public SandboxInfo pause(SandboxId id) throws InterruptedException {
        return keeper(id).pause();
    }

    @Override
    public SandboxInfo resume(SandboxId id, Duration lease) throws InterruptedException {
        return keeper(id).resume(checked(lease));
    }

    private static Duration checked(Duration lease) {
        if (lease.compareTo(SandboxSpec.MIN_LEASE) < 0 || lease.compareTo(SandboxSpec.MAX_LEASE) > 0) {
            throw Failure.Code.OUT_OF_RANGE.with("the lease must be 1 second to 24 hours, got " + lease.toSeconds() + " s", "ask for a time in that range");
        }
        return lease;
    }

    @Override
    public List<UsageSample> samples(SandboxId id, Instant from, Instant to) {
        return uninterrupted(() -> keeper(id).usage().samples(from, to));
    }

    @Override
    public Usage usage(SandboxId id) {
        return machine.cgroups().usage(machine.home().cgroup(keeper(id).entry().id().value()));
    }

    @Override
    public SandboxInfo renew(SandboxId id, Duration lease) {
        return uninterrupted(() -> keeper(id).renew(checked(lease)));
    }

    @Override
    public SandboxInfo setEgress(SandboxId id, Egress egress) throws InterruptedException {
        if (!egress.isNone()) {
            machine.plugs().requireWayOut();
        }
        return keeper(id).setEgress(egress);
    }

    @Override
    public List<Flow> flows(SandboxId id, long after, int limit) throws InterruptedException {
        if (!keepers.containsKey(id)) {
            receipt(id);
        }
        return machine.gateway().flows(id, after, Math.clamp(limit, 1, MAX_FLOWS));
    }

    @Override
    public Receipt delete(SandboxId id) throws InterruptedException {
        @Nullable Keeper keeper = keepers.get(id);
        if (keeper == null) {
            return machine.journal().receipt(id).orElseThrow(() -> notFound(id));
        }
        keeper.end(EndReason.DELETED);
        return keeper.awaitReceipt();
    }

    @Override
    public Receipt receipt(SandboxId id) {
        return machine.journal().receipt(id).orElseThrow(() -> Failure.Code.RECEIPT_NOT_FOUND.with(
                keepers.containsKey(id) ? "sandbox " + id + " still lives, so it has no receipt" : "there is no receipt " + id, "delete the sandbox first, or list receipts with GET /v1/receipts"));
    }

    @Override
    public List<Receipt> receipts(String tenant, int limit) {
        return machine.journal().receipts(tenant, Math.clamp(limit, 1, 1000));
    }

    @Override
    public List<TemplateInfo> templates() {
        return images.templates();
    }

    @Override
    public NodeStatus status() {
        var journal = machine.journal();
        return new NodeStatus(keepers.size(), standbys.count(), journal.counter("created"), journal.counter("deleted"), journal.counter("failed"), journal.counter("leaked"), machine.drivers().all(), residentMemory());
    }

    /// Ends every sandbox, and what stands by; for a `down` that means it.
    public void deleteAll() throws InterruptedException {
        standbys.surrender();
        for (Keeper keeper : keepers.values()) {
            keeper.end(EndReason.DELETED);
        }
        for (Keeper keeper : keepers.values()) {
            keeper.awaitReceipt();
        }
    }

    @Override
    public void close() {
        closed = true;
        sampler.interrupt();
        List<Thread> living;
        synchronized (threads) {
            living = List.copyOf(threads);
        }
        living.forEach(Thread::interrupt);
        boolean interrupted = false;
        for (Thread thread : living) {
            try {
                thread.join(Duration.ofSeconds(10));
            } catch (InterruptedException _) {
                interrupted = true;
            }
        }
        standbys.close();
        machine.alarms().close();
        machine.gateway().close();
        machine.plugs().close();
        // Where no sandbox lives on, nothing of this home stays behind in the kernel.
        machine.cgroups().removeUnused(machine.home().cgroupParent());
        store.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private Keeper keeper(SandboxId id) {
        Keeper keeper = keepers.get(id);
        if (keeper == null) {
            throw notFound(id);
        }
        return keeper;
    }

    private SandboxException notFound(SandboxId id) {
        return machine.journal().receipt(id)
                .map(receipt -> Failure.Code.SANDBOX_NOT_FOUND.with("sandbox " + id + " is gone (" + receipt.reason().name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ') + ")", "its receipt says why: caisson receipt " + id))
                .orElseGet(() -> Failure.Code.SANDBOX_NOT_FOUND.with("there is no sandbox " + id, "list them with `caisson ps`"));
    }

    private void refuseWhenClosed() {
        if (closed) {
            throw Failure.Code.NODE_UNREACHABLE.with("the node is closing", "try again when it is back");
        }
    }

    private static ByteSize residentMemory() {
        try {
            // The second number of statm: resident pages of 4 KiB.
            String[] pages = java.nio.file.Files.readString(Path.of("/proc/self/statm")).split(" ");
            return new ByteSize(Long.parseLong(pages[1]) * 4096);
        } catch (IOException _) {
            return new ByteSize(0);
        }
    }

    @FunctionalInterface
    private interface Interruptible<T> {
        T call() throws InterruptedException, LinkException;
    }

    /// For calls whose interface has no interruption: an interrupted caller has gone.
    private static <T> T uninterrupted(Interruptible<T> call) {
        try {
            return call.call();
        } catch (LinkException e) {
            throw Failure.Code.GUEST_FAILED.with("the sandbox did not answer: " + e.getMessage(), "look whether it still lives with `caisson ps`", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Failure.Code.NODE_UNREACHABLE.with("interrupted", "try again", e);
        }
    }
}
