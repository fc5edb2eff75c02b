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
import java.util.Map;

/// Finds out whether a container runtime works on this machine, by having it run the agent for a moment (`--version`) with all the
/// namespaces, filters and masks of a real sandbox.
record RuntimeProbe(Program program, Path agent, Cgroups cgroups, Home home) {
    private static final CgroupLimits LIMITS = new CgroupLimits(4000, ByteSize.mib(256), 128);
    private static final String WAITING = "w";

    /// What every bundle for it is to hold beside the rest. Leaves nothing.
    ///
    /// Errors: an [IOException] that says what went wrong when it does not work.
    Map<String, String> annotations() throws IOException, InterruptedException {
        var name = "probe-" + program.name() + "-" + ProcessHandle.current().pid();
        var at = new Places(home.run().resolve(name));
        var cgroup = home.cgroup(name);
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
            var annotations = compileFilter(at, cgroup);
            ContainerBundle.probe(at, cgroup, annotations).writeTo(at.bundle());
            run(at, cgroup, "run", OciRuntime.CONTAINER);
            return annotations;
        } finally {
            release(at, cgroup);
        }
    }

    private Map<String, String> compileFilter(Places at, String cgroup) throws IOException, InterruptedException {
        var compiled = program.compiledFilter(at, WAITING);
        if (compiled.isEmpty()) {
            return Map.of();
        }
        ContainerBundle.probe(at, cgroup, Map.of()).writeTo(at.bundle());
        run(at, cgroup, "create", WAITING);
        return Files.exists(compiled.get()) ? program.withFilter(Files.readAllBytes(compiled.get())) : Map.of();
    }

    private void run(Places at, String cgroup, String word, String container) throws IOException, InterruptedException {
        program.command(at, List.of(word, "--bundle", at.bundle().toString(), container), cgroups.joinFiles(cgroup), () -> {}).run();
    }

    private void release(Places at, String cgroup) throws InterruptedException {
        var reclaimer = new Reclaimer(home, cgroups);
        reclaimer.release(new Resource(ResourceKind.CGROUP, cgroup));
        reclaimer.release(new Resource(ResourceKind.RUNTIME_STATE, at.state().toString()));
        reclaimer.release(new Resource(ResourceKind.DIRECTORY, at.directory().toString()));
    }
}
