package dev.caisson.runtime.microvm;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Reclaimer;
import dev.caisson.host.SparseFiles;
import dev.caisson.host.Tap;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Driver;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// Runs sandboxes as microVMs, whichever VMM runs them.
///
/// ```
///   once per template and shape:  boot ─▶ agent ─▶ warm up ─▶ freeze          ([Snapshots], [Freezer])
///   per sandbox:                  copy of the disk, tap ─▶ restore ─▶ agent dials home ─▶ (the caller adopts it)
/// ```
public final class MicrovmDriver implements Driver {
    /// Users of VMMs: none of the machine's own, none of a container's.
    static final int FIRST_USER = 0x3000_0000;
    /// Less memory than the guest's own kernel needs to start a program.
    private static final ByteSize MIN_MEMORY = ByteSize.mib(128);
    /// A start takes at least this much CPU time; the guest's quota is set before any of its code runs.
    private static final int START_CPU_MILLIS = 4000;
    /// Threads of a VMM beside its virtual CPUs. Nothing in the guest makes more of them.
    private static final int VMM_THREADS = 256;

    private final Vmm vmm;
    private final Cgroups cgroups;
    private final Path guest;
    private final Snapshots snapshots;

    public MicrovmDriver(Vmm vmm, Home home, Cgroups cgroups, Reclaimer reclaimer) {
        this(vmm, home, cgroups, reclaimer, TemplateGuest.HELLO);
    }

    /// @param hello how long a template's machine may take to come up
    MicrovmDriver(Vmm vmm, Home home, Cgroups cgroups, Reclaimer reclaimer, Duration hello) {
        this.vmm = vmm;
        this.cgroups = cgroups;
        this.guest = home.guest();
        this.snapshots = new Snapshots(new SnapshotStore(home.snapshots(), vmm.needsSealedMemory()), new Freezer(vmm, home, cgroups, reclaimer, hello));
    }

    @Override
    public DriverName kind() {
        return vmm.kind();
    }

    @Override
    public String name() {
        return vmm.name();
    }

    @Override
    public Optional<String> unfit() {
        if (!HostFacts.runningAsRoot()) {
            return Optional.of("microVMs are started by root; run the node as root");
        }
        return GuestKernel.unfit(guest).or(vmm::unfit);
    }

    @Override
    public Optional<String> beingTried() {
        return HostFacts.runningAsRoot() && GuestKernel.unfit(guest).isEmpty() ? vmm.beingTried() : Optional.empty();
    }

    @Override
    public boolean wakesFromSnapshot() {
        return true;
    }

    @Override
    public Optional<String> snapshot(Limits limits, Boot.Content content) throws IOException, InterruptedException {
        return Optional.of(origin(limits, content).key());
    }

    @Override
    public List<Resource> resources(Boot boot) {
        return List.of(
                new Resource(ResourceKind.DIRECTORY, boot.directory().toString()),
                new Resource(ResourceKind.SOCKET, boot.agentSocket().toString()),
                new Resource(ResourceKind.CGROUP, boot.cgroup()),
                new Resource(ResourceKind.NETWORK_NAMESPACE, boot.network().toString()),
                new Resource(ResourceKind.DISK, vm(boot).disk().toString()),
                new Resource(ResourceKind.RUNTIME_STATE, vm(boot).workshop().toString()),
                new Resource(ResourceKind.PROCESSES, boot.cgroup()));
    }

    @Override
    public void boot(Boot boot) throws IOException, InterruptedException {
        if (boot.spec().limits().memory().compareTo(MIN_MEMORY) < 0) {
            throw Failure.Code.OUT_OF_RANGE.with("a microVM needs at least " + MIN_MEMORY + " of memory for its own kernel, got " + boot.spec().limits().memory(), "ask for more");
        }
        var vm = vm(boot);
        Snapshot snapshot = snapshots.of(origin(boot.spec().limits(), boot.content()));
        try {
            furnish(vm, vmm, cgroups);
            SparseFiles.copy(snapshot.disk(), vm.disk());
            give(vm.disk(), vm.user(), "rw-------");
            vmm.restore(vm, snapshot);
        } catch (IOException e) {
            throw cgroups.oomKills(vm.cgroup()) == 0 ? e : new IOException(e.getMessage() + "; this host's kernel killed it for memory, of which it may have its guest's and " + vmm.overhead(), e);
        } finally {
            // Its descriptor closes when nobody holds it any more.
            Reference.reachabilityFence(snapshot);
        }
        cgroups.limitCpu(boot.cgroup(), boot.spec().limits().cpus().millis());
    }

    private Origin origin(Limits limits, Boot.Content content) throws IOException, InterruptedException {
        GuestKernel kernel = GuestKernel.open(guest);
        return new Origin(vmm.fingerprint(), kernel, kernel.commandLine(vmm.home()), content.image(), shape(limits), content.warmUp(), content.files());
    }

    /// Cgroup, tap, way home: what a machine has, whether it is booted or restored.
    static void furnish(Vm vm, Vmm vmm, Cgroups cgroups) throws IOException, InterruptedException {
        // Images of before there were VMMs are root's alone.
        if (!Files.getPosixFilePermissions(vm.root()).contains(PosixFilePermission.OTHERS_READ)) {
            Files.setPosixFilePermissions(vm.root(), PosixFilePermissions.fromString("r--r--r--"));
        }
        var memory = new ByteSize(vm.shape().memory().bytes() + vmm.overhead().bytes());
        cgroups.create(vm.cgroup(), new CgroupLimits(Math.max(1000 * vm.shape().vcpus(), START_CPU_MILLIS), memory, vm.shape().vcpus() + VMM_THREADS));
        if (!Tap.make(vm.network(), vm.user(), OptionalLong.of(vm.rates().networkBytesPerSecond())).limited()) {
            System.getLogger(MicrovmDriver.class.getName()).log(System.Logger.Level.WARNING, "machine=" + vm.name() + " its network has no rate limit: this kernel has no token buckets (sch_tbf)");
        }
        Files.setPosixFilePermissions(vm.agentSocket().getParent(), PosixFilePermissions.fromString("rwx--x--x"));
        give(vm.agentSocket(), vm.user(), "rw-------");
    }

    static void give(Path path, int user, String permissions) throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
        Files.setAttribute(path, "unix:uid", user);
        Files.setAttribute(path, "unix:gid", user);
    }

    @Override
    public void pause(Boot boot) throws IOException, InterruptedException {
        vmm.pause(vm(boot));
    }

    @Override
    public void resume(Boot boot) throws IOException, InterruptedException {
        vmm.resume(vm(boot));
    }

    private static Vm vm(Boot boot) {
        return new Vm(
                boot.id().value(), boot.directory(), boot.cgroup(), FIRST_USER + boot.slot(), boot.network(), Tap.NAME, boot.agentSocket(), boot.content().image().file(), boot.directory().resolve("disk.img"),
                shape(boot.spec().limits()), DeviceRates.DEFAULT);
    }

    private static Vm.Shape shape(Limits limits) {
        int vcpus = Math.ceilDiv(limits.cpus().millis(), 1000);
        return new Vm.Shape(vcpus, ByteSize.mib(Math.ceilDiv(limits.memory().bytes(), 1L << 20)), limits.disk());
    }
}
