package dev.caisson.runtime.container;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Mounts;
import dev.caisson.host.Stage;
import dev.caisson.runtime.RuntimeCommand;
import dev.caisson.runtime.container.ContainerDriver.Places;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The program that makes a container of a bundle: crun, else runc; whichever works on this machine, found out by running a tiny container once.
final class OciRuntime {
    private static final String PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    // Each sandbox has a state directory of its own.
    static final String CONTAINER = "s";

    private final Path agent;
    private final Cgroups cgroups;
    private final Home home;
    private @Nullable Choice choice;

    /// @param program the one that works; null when none does, then `why` says it
    private record Choice(@Nullable Program program, String why) {}

    OciRuntime(Path agent, Cgroups cgroups, Home home) {
        this.agent = agent;
        this.cgroups = cgroups;
        this.home = home;
    }

    String name() {
        var chosen = choose().program();
        return chosen == null ? "crun" : chosen.name();
    }

    Optional<String> unfit() {
        var chosen = choose();
        return chosen.program() == null ? Optional.of(chosen.why()) : Optional.empty();
    }

    /// Starts the container of that bundle, in the cgroup that has been made for it.
    ///
    /// @param stage mounts its root
    void run(Places at, List<Path> cgroupFiles, Stage stage) throws IOException, InterruptedException {
        var program = choose().program();
        if (program == null) {
            throw new IOException(choose().why());
        }
        program.command(at, List.of("run", "--detach", "--bundle", at.bundle().toString(), CONTAINER), cgroupFiles, stage).run();
    }

    private synchronized Choice choose() {
        var known = choice;
        if (known == null) {
            known = probeAll();
            choice = known;
        }
        return known;
    }

    /// crun first: it makes no cgroups of its own, and is faster.
    private Choice probeAll() {
        var problems = new ArrayList<String>();
        for (String name : List.of("crun", "runc")) {
            var path = HostFacts.program(name, PATH);
            if (path.isEmpty()) {
                problems.add(name + " is not installed");
                continue;
            }
            var program = new Program(name, path.get(), cgroups.unusedUnified());
            var problem = new RuntimeProbe(program, agent, cgroups, home).problem();
            if (problem.isEmpty()) {
                return new Choice(program, "");
            }
            problems.add(name + ": " + problem.get());
        }
        return new Choice(null, "no container runtime works here (" + String.join("; ", problems) + "); apt-get install crun");
    }

    /// @param unified mounts that crun must not see: it refuses machines with both versions of cgroups
    record Program(String name, Path path, List<Path> unified) {
        /// crun leaves cgroups alone when told to; runc joins the one named in the bundle, in every tree.
        RuntimeCommand command(Places at, List<String> rest, List<Path> cgroupFiles, Stage stage) {
            var argv = new ArrayList<>(List.of(path.toString(), "--root", at.state().toString(), "--log", at.log().toString()));
            boolean crun = name.equals("crun");
            if (crun) {
                argv.add("--cgroup-manager=disabled");
            }
            argv.addAll(rest);
            return new RuntimeCommand(argv, cgroupFiles, at.nothing(), at.log(), () -> {
                stage.set();
                if (crun) {
                    for (Path tree : unified) {
                        Mounts.unmount(tree);
                    }
                }
            });
        }
    }
}
