package dev.caisson.runtime.gvisor;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.Cgroups;
import dev.caisson.host.HostFacts;
import dev.caisson.host.NullDevice;
import dev.caisson.runtime.AgentDoor;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Driver;
import dev.caisson.runtime.OciBundle;
import dev.caisson.runtime.OciMount;
import dev.caisson.runtime.RuntimeCommand;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Runs sandboxes in gVisor.
///
/// The image is the root, mounted read-only on the host; gVisor's own overlay keeps what is written in one file below `disk/`, bounded exactly.
/// gVisor's two processes (kernel and file server) live in the sandbox's cgroup and in its network namespace, which has no way out.
public final class GvisorDriver implements Driver {
    // Short and the same for all, since each sandbox has a state directory of its own: the control socket's path must fit 107 bytes.
    private static final String CONTAINER = "s";

    /// Docker's defaults without NET_RAW and MKNOD, and with SYS_PTRACE: all within gVisor's kernel, none on the host. Not SYS_RESOURCE nor
    /// SYS_ADMIN: with them gVisor does not hold root to RLIMIT_NPROC.
    private static final List<String> CAPABILITIES = List.of(
            "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP",
            "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE", "CAP_SYS_PTRACE");

    // The agent's own threads, and room to start a command while the guest is at its limit.
    private static final int AGENT_PROCESSES = 8;
    // The runtime starts with at least this much CPU time; the guest's quota is set before any of its code runs.
    private static final int START_CPU_MILLIS = 4000;
    private static final ByteSize SHARED_MEMORY = ByteSize.mib(64);

    private final Path runsc;
    private final Path agent;
    private final Cgroups cgroups;

    /// @param runsc the program; gVisor's release of September 2026 or one that takes the same options
    /// @param agent the static agent
    public GvisorDriver(Path runsc, Path agent, Cgroups cgroups) {
        this.runsc = runsc;
        this.agent = agent;
        this.cgroups = cgroups;
    }

    @Override
    public DriverName kind() {
        return DriverName.GVISOR;
    }

    @Override
    public String name() {
        return "runsc";
    }

    @Override
    public Optional<String> unfit() {
        if (!Files.isExecutable(runsc)) {
            return Optional.of("no runsc at " + runsc + "; install it with `caisson setup`");
        }
        if (!Files.isExecutable(agent)) {
            return Optional.of("no agent at " + agent + "; install it with `caisson setup`");
        }
        return HostFacts.runningAsRoot() ? Optional.empty() : Optional.of("gVisor is started by root; run the node as root");
    }

    @Override
    public List<Resource> resources(Boot boot) {
        var at = new Places(boot.directory());
        return List.of(
                new Resource(ResourceKind.DIRECTORY, boot.directory().toString()),
                new Resource(ResourceKind.SOCKET, boot.agentSocket().toString()),
                new Resource(ResourceKind.CGROUP, boot.cgroup()),
                new Resource(ResourceKind.NETWORK_NAMESPACE, boot.network().toString()),
                new Resource(ResourceKind.DISK, at.disk().toString()),
                new Resource(ResourceKind.RUNTIME_STATE, at.state().toString()),
                new Resource(ResourceKind.PROCESSES, boot.cgroup()));
    }

    @Override
    public void boot(Boot boot) throws IOException, InterruptedException {
        var at = new Places(boot.directory());
        var limits = boot.spec().limits();
        cgroups.create(boot.cgroup(), new CgroupLimits(Math.max(limits.cpus().millis(), START_CPU_MILLIS), limits.memory(), hostProcesses(limits)));
        AgentDoor.make(at.door(), agent, boot.agentSocket(), 0);
        Files.createDirectory(at.bundle());
        Files.createDirectory(at.disk());
        Files.createDirectory(at.state());
        NullDevice.make(at.nothing());
        bundle(boot, at).writeTo(at.bundle());
        new RuntimeCommand(command(boot, at), cgroups.joinFiles(boot.cgroup()), at.nothing(), at.log(), null).run();
        cgroups.limitCpu(boot.cgroup(), limits.cpus().millis());
    }

    /// By gVisor's own means, which stop every task of the guest at a safe point. The cgroup freezer does not: it also stops the threads by which gVisor's
    /// kernel runs the guest, and when they are thawed that kernel takes those it was just waiting for to be dead, and kills the guest's process
    /// (docs/decisions/0009-pausing-gvisor.md).
    @Override
    public void pause(Boot boot) throws IOException, InterruptedException {
        lifecycle(boot, "pause", "in state paused");
    }

    @Override
    public void resume(Boot boot) throws IOException, InterruptedException {
        lifecycle(boot, "resume", "in state running");
    }

    /// @param done what runsc says when there is nothing to do
    private void lifecycle(Boot boot, String verb, String done) throws IOException, InterruptedException {
        var at = new Places(boot.directory());
        var argv = List.of(runsc.toString(), "--root=" + at.state(), "--log=" + at.log(), verb, CONTAINER);
        try {
            new RuntimeCommand(argv, List.of(), at.nothing(), at.log(), null).run();
        } catch (IOException e) {
            if (!String.valueOf(e.getMessage()).contains(done)) {
                throw e;
            }
        }
    }

    private List<String> command(Boot boot, Places at) {
        return List.of(
                runsc.toString(),
                "--root=" + at.state(),
                "--log=" + at.log(),
                "--platform=systrap",
                // Our namespace, for both processes: no route in it, nothing of it is anonymous, and runsc pins none of its own.
                "--network=sandbox",
                "--gofer-network-namespace=" + boot.network(),
                // The one socket that is bound into the sandbox may be dialed.
                "--host-uds=open",
                // The processes are in their cgroup before they run; runsc would make more of them, in every tree.
                "--ignore-cgroups",
                "--overlay2=root:dir=" + at.disk() + ",size=" + boot.spec().limits().disk().bytes(),
                // sudo and its kind: their set-user-id bit counts, within gVisor's kernel.
                "--allow-suid",
                "run", "--detach", "--bundle=" + at.bundle(), CONTAINER);
    }

    private OciBundle bundle(Boot boot, Places at) throws IOException {
        var limits = boot.spec().limits();
        var mounts = new ArrayList<>(List.of(
                OciMount.of("/proc", "proc", "nosuid", "noexec", "nodev"),
                OciMount.of("/dev", "tmpfs", "nosuid", "mode=755"),
                OciMount.of("/dev/pts", "devpts", "nosuid", "noexec"),
                OciMount.of("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
                OciMount.of("/dev/shm", "tmpfs", "nosuid", "nodev", "mode=1777", "size=" + Math.min(SHARED_MEMORY.bytes(), limits.memory().bytes() / 2)),
                AgentDoor.mount(at.door())));
        if (isEmpty(boot.content().image().directory().resolve("tmp"))) {
            // gVisor puts a tmpfs without a bound of ours on an empty /tmp. An image whose /tmp holds something keeps it on its disk, which is better.
            mounts.add(OciMount.of("/tmp", "tmpfs", "nosuid", "nodev", "mode=1777", "size=" + Math.min(limits.disk().bytes(), limits.memory().bytes() / 2)));
        }
        var rlimits = new LinkedHashMap<String, Long>();
        rlimits.put("RLIMIT_NOFILE", (long) limits.openFiles());
        rlimits.put("RLIMIT_NPROC", (long) limits.processes() + AGENT_PROCESSES);
        rlimits.put("RLIMIT_CORE", 0L);
        var namespaces = List.of(
                Map.of("type", "pid"), Map.of("type", "ipc"), Map.of("type", "uts"), Map.of("type", "mount"),
                Map.of("type", "network", "path", boot.network().toString()));
        return new OciBundle(AgentDoor.COMMAND, boot.content().image().directory(), false, false, CAPABILITIES, rlimits, mounts, Map.of("namespaces", namespaces), Map.of());
    }

    private static boolean isEmpty(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            return true;
        }
        try (var entries = Files.newDirectoryStream(directory)) {
            return !entries.iterator().hasNext();
        }
    }

    /// The outer bound on host threads, which gVisor does not survive. RLIMIT_NPROC is met before it: it holds each user of the guest to its number, and a
    /// guest's process is 2.1 host threads (measured, September 2026), so a user and root at their limits together still fit.
    private static int hostProcesses(Limits limits) {
        return Math.max(1024, 5 * limits.processes()) + 256;
    }

    /// Where a sandbox's things are.
    private record Places(Path directory) {
        Path door() {
            return directory.resolve("door");
        }

        Path bundle() {
            return directory.resolve("bundle");
        }

        Path disk() {
            return directory.resolve("disk");
        }

        /// One letter: see [Home#MAX_PATH_BYTES][dev.caisson.host.Home#MAX_PATH_BYTES].
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
