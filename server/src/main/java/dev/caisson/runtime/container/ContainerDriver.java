package dev.caisson.runtime.container;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.Cgroups;
import dev.caisson.host.DiskImages;
import dev.caisson.host.Home;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Mounts;
import dev.caisson.host.NullDevice;
import dev.caisson.runtime.AgentDoor;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Driver;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Runs sandboxes as hardened containers on the host's kernel: for trusted code only.
///
/// The image is seen through an idmapped mount, under an overlay whose upper layer lies on an ext4 image of exactly the size allowed; all three are
/// mounted in a namespace of the container's own and nowhere else, so that its end unmounts them. Root inside
/// is a user id of the host that nobody else has: each slot has a range of 65,536.
public final class ContainerDriver implements Driver {
    static final int IDS = 65_536;
    static final int FIRST_ID = 1 << 30;
    static final int MAX_SLOTS = 16_383;

    // The agent's own threads, and room to start a command while the guest is at its limit.
    /// For all processes of a container to come to rest.
    private static final Duration FREEZE_BOUND = Duration.ofSeconds(5);
    private static final int AGENT_PROCESSES = 8;
    // runc is a Go program with a dozen threads; the guest's own bound is set before any of its code runs.
    private static final int START_PROCESSES = 64;
    private static final int START_CPU_MILLIS = 4000;

    private final OciRuntime runtime;
    private final Path agent;
    private final Cgroups cgroups;
    private final DiskImages disks;

    /// @param agent the static agent
    public ContainerDriver(Path agent, Cgroups cgroups, Home home) {
        this(agent, cgroups, home, OciRuntime.PROGRAMS);
    }

    /// @param programs runtimes by name; the first that works is taken
    ContainerDriver(Path agent, Cgroups cgroups, Home home, List<String> programs) {
        this.runtime = new OciRuntime(agent, cgroups, home, programs);
        this.agent = agent;
        this.cgroups = cgroups;
        this.disks = new DiskImages(home.image().resolve("disks"));
    }

    @Override
    public DriverName kind() {
        return DriverName.CONTAINER;
    }

    @Override
    public String name() {
        return runtime.name();
    }

    @Override
    public Optional<String> unfit() {
        if (!Files.isExecutable(agent)) {
            return Optional.of("no agent at " + agent + "; install it with `caisson setup`");
        }
        if (!HostFacts.runningAsRoot()) {
            return Optional.of("containers are started by root; run the node as root");
        }
        return runtime.unfit();
    }

    @Override
    public List<Resource> resources(Boot boot) {
        var at = new Places(boot.directory());
        return List.of(
                new Resource(ResourceKind.DIRECTORY, boot.directory().toString()),
                new Resource(ResourceKind.SOCKET, boot.agentSocket().toString()),
                new Resource(ResourceKind.CGROUP, boot.cgroup()),
                new Resource(ResourceKind.NETWORK_NAMESPACE, boot.network().toString()),
                new Resource(ResourceKind.DISK, at.diskImage().toString()),
                new Resource(ResourceKind.LOOP_DEVICE, at.diskImage().toString()),
                new Resource(ResourceKind.RUNTIME_STATE, at.state().toString()),
                new Resource(ResourceKind.PROCESSES, boot.cgroup()));
    }

    @Override
    public void boot(Boot boot) throws IOException, InterruptedException {
        var at = new Places(boot.directory());
        var limits = boot.spec().limits();
        int first = firstId(boot.slot());
        cgroups.create(boot.cgroup(), new CgroupLimits(
                Math.max(limits.cpus().millis(), START_CPU_MILLIS), limits.memory(), limits.processes() + START_PROCESSES));
        AgentDoor.make(at.door(), agent, boot.agentSocket(), first);
        disks.create(at.diskImage(), new ByteSize(limits.disk().bytes() + DiskImages.OVERLAY_SHARE.bytes()));
        Files.createDirectory(at.bundle());
        Files.createDirectory(at.state());
        NullDevice.make(at.nothing());
        ContainerBundle.of(boot, at, first, runtime.annotations()).writeTo(at.bundle());
        runtime.run(at, cgroups.joinFiles(boot.cgroup()), () -> root(boot, at, first));
        cgroups.limitProcesses(boot.cgroup(), limits.processes() + AGENT_PROCESSES);
        cgroups.limitCpu(boot.cgroup(), limits.cpus().millis());
    }

    @Override
    public void pause(Boot boot) throws IOException, InterruptedException {
        cgroups.freeze(boot.cgroup(), FREEZE_BOUND);
    }

    @Override
    public void resume(Boot boot) throws IOException {
        cgroups.thaw(boot.cgroup());
    }

    /// Image below, disk above; seen by the container alone.
    private static void root(Boot boot, Places at, int first) throws IOException, InterruptedException {
        Mounts.ext4(at.diskImage(), at.disk());
        Files.createDirectory(at.upper());
        Files.createDirectory(at.work());
        Files.setAttribute(at.upper(), "unix:uid", first);
        Files.setAttribute(at.upper(), "unix:gid", first);
        Files.setPosixFilePermissions(at.upper(), PosixFilePermissions.fromString("rwxr-xr-x"));
        Mounts.idmapped(boot.content().image().directory(), at.image(), first, IDS);
        Mounts.overlay(at.image(), at.upper(), at.work(), at.root());
    }

    private static int firstId(int slot) {
        if (slot < 0 || slot >= MAX_SLOTS) {
            throw new IllegalArgumentException("slot must be 0.." + (MAX_SLOTS - 1) + ", got " + slot);
        }
        return FIRST_ID + slot * IDS;
    }

    /// Where a sandbox's things are.
    record Places(Path directory) {
        Path door() {
            return directory.resolve("door");
        }

        Path bundle() {
            return directory.resolve("bundle");
        }

        Path diskImage() {
            return directory.resolve("disk.img");
        }

        Path disk() {
            return directory.resolve("disk");
        }

        Path upper() {
            return disk().resolve("upper");
        }

        Path work() {
            return disk().resolve("work");
        }

        Path image() {
            return directory.resolve("image");
        }

        Path root() {
            return directory.resolve("root");
        }

        Path state() {
            return directory.resolve("r");
        }

        Path nothing() {
            return bundle().resolve("null");
        }

        Path log() {
            return bundle().resolve("runtime.log");
        }
    }
}
