package dev.caisson.runtime;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Child;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A driver without a wall, for fast tests of what stands on drivers: the agent is a process of the host, in a cgroup and in a process namespace of
/// its own.
///
/// Its commands run as root on the host's files: give it only commands of the tests' own. The process namespace is there because a mere
/// `kill -9 -1` would otherwise end every process of the machine.
public final class FakeDriver implements Driver {
    private final DriverName kind;
    private final Path agent;
    private final Cgroups cgroups;

    public FakeDriver(DriverName kind, Path agent, Cgroups cgroups) {
        this.kind = kind;
        this.agent = agent;
        this.cgroups = cgroups;
    }

    @Override
    public DriverName kind() {
        return kind;
    }

    @Override
    public String name() {
        return "fake";
    }

    @Override
    public Optional<String> unfit() {
        return Optional.empty();
    }

    @Override
    public List<Resource> resources(Boot boot) {
        return List.of(
                new Resource(ResourceKind.DIRECTORY, boot.directory().toString()),
                new Resource(ResourceKind.SOCKET, boot.agentSocket().toString()),
                new Resource(ResourceKind.CGROUP, boot.cgroup()),
                new Resource(ResourceKind.NETWORK_NAMESPACE, boot.network().toString()),
                new Resource(ResourceKind.PROCESSES, boot.cgroup()));
    }

    @Override
    public void pause(Boot boot) throws IOException, InterruptedException {
        cgroups.freeze(boot.cgroup(), Duration.ofSeconds(5));
    }

    @Override
    public void resume(Boot boot) throws IOException {
        cgroups.thaw(boot.cgroup());
    }

    @Override
    public void boot(Boot boot) throws IOException, InterruptedException {
        var limits = boot.spec().limits();
        cgroups.create(boot.cgroup(), new CgroupLimits(limits.cpus().millis(), limits.memory(), limits.processes() + 8));
        AgentDoor.make(door(boot), agent, boot.agentSocket(), 0);
        new Child(List.of("/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc", door(boot).resolve("agent").toString(), "--socket", boot.agentSocket().toString()),
                Map.of("PATH", "/usr/local/bin:/usr/bin:/bin"), Path.of("/dev/null"), cgroups.joinFiles(boot.cgroup())).start();
    }

    private static Path door(Boot boot) {
        return boot.directory().resolve("door");
    }
}
