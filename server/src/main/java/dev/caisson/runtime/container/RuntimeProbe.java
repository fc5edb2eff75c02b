package dev.caisson.runtime.container;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.host.NullDevice;
import dev.caisson.host.Reclaimer;
import dev.caisson.runtime.container.ContainerDriver.Places;
import dev.caisson.runtime.container.OciRuntime.Program;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Finds out whether a container runtime works on this machine, by having it run the agent for a moment (`--version`) with all the
/// namespaces, filters and masks of a real sandbox.
record RuntimeProbe(Program program, Path agent, Cgroups cgroups, Home home) {
    private static final CgroupLimits LIMITS = new CgroupLimits(4000, ByteSize.mib(256), 128);

    /// What went wrong; empty when it works. Leaves nothing.
    Optional<String> problem() {
        var name = "probe-" + program.name() + "-" + ProcessHandle.current().pid();
        var at = new Places(home.run().resolve(name));
        var cgroup = home.cgroup(name);
        try {
            try {
                cgroups.create(cgroup, LIMITS);
                var root = Files.createDirectories(at.root());
                for (String directory : List.of("proc", "dev", "sys")) {
                    Files.createDirectory(root.resolve(directory));
                }
                Files.copy(agent, root.resolve("agent"));
                Files.createDirectory(at.bundle());
                Files.createDirectory(at.state());
                NullDevice.make(at.nothing());
                ContainerBundle.probe(at, cgroup).writeTo(at.bundle());
                program.command(at, List.of("run", "--bundle", at.bundle().toString(), OciRuntime.CONTAINER), cgroups.joinFiles(cgroup), () -> { }).run();
                return Optional.empty();
            } finally {
                release(at, cgroup);
            }
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.of("interrupted");
        }
    }

    private void release(Places at, String cgroup) throws InterruptedException {
        var reclaimer = new Reclaimer(home, cgroups);
        reclaimer.release(new Resource(ResourceKind.CGROUP, cgroup));
        reclaimer.release(new Resource(ResourceKind.RUNTIME_STATE, at.state().toString()));
        reclaimer.release(new Resource(ResourceKind.DIRECTORY, at.directory().toString()));
    }
}
