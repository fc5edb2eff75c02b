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
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The program that makes a container of a bundle: crun, else runc; whichever works on this machine, found out by running a tiny container once.
final class OciRuntime {
    /// In the order they are tried. crun starts a container in a third of runc's time: it is no Go program, and leaves cgroups alone when told to. A
    /// process that joins a cgroup by its id, as runc's does, waits for the kernel's grace period of some 6 ms.
    static final List<String> PROGRAMS = List.of("crun", "runc");

    // Each sandbox has a state directory of its own.
    static final String CONTAINER = "s";

    private final Path agent;
    private final Cgroups cgroups;
    private final Home home;
    private final List<String> programs;
    private @Nullable Choice choice;

    private sealed interface Choice {
        /// @param annotations for the bundles of this program
        record Works(Program program, Map<String, String> annotations) implements Choice {}

        record NothingWorks(String why) implements Choice {}
    }

    OciRuntime(Path agent, Cgroups cgroups, Home home, List<String> programs) {
        this.agent = agent;
        this.cgroups = cgroups;
        this.home = home;
        this.programs = List.copyOf(programs);
    }

    String name() {
        return choose() instanceof Choice.Works works ? works.program().name() : programs.getFirst();
    }

    Optional<String> unfit() {
        return choose() instanceof Choice.NothingWorks(String why) ? Optional.of(why) : Optional.empty();
    }

    /// What bundles for it hold beside the rest.
    Map<String, String> annotations() throws IOException {
        return works().annotations();
    }

    /// Starts the container of that bundle, in the cgroup that has been made for it.
    ///
    /// @param stage mounts its root
    void run(Places at, List<Path> cgroupFiles, Stage stage) throws IOException, InterruptedException {
        works().program().command(at, List.of("run", "--detach", "--bundle", at.bundle().toString(), CONTAINER), cgroupFiles, stage).run();
    }

    private Choice.Works works() throws IOException {
        return switch (choose()) {
            case Choice.Works works -> works;
            case Choice.NothingWorks(String why) -> throw new IOException(why);
        };
    }

    private synchronized Choice choose() {
        var known = choice;
        if (known == null) {
            known = probeAll();
            choice = known;
        }
        return known;
    }

    private Choice probeAll() {
        var problems = new ArrayList<String>();
        for (String name : programs) {
            var path = HostFacts.program(name, HostFacts.PATH);
            if (path.isEmpty()) {
                problems.add(name + " is not installed");
                continue;
            }
            var program = new Program(name, path.get(), cgroups.unusedUnified());
            try {
                return new Choice.Works(program, new RuntimeProbe(program, agent, cgroups, home).annotations());
            } catch (IOException e) {
                problems.add(name + ": " + e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                problems.add("interrupted");
            }
        }
        return new Choice.NothingWorks("no container runtime works here (" + String.join("; ", problems) + "); apt-get install crun");
    }

    /// @param unified mounts that crun must not see: it refuses machines with both versions of cgroups
    record Program(String name, Path path, List<Path> unified) {
        private boolean isCrun() {
            return name.equals("crun");
        }

        /// crun leaves cgroups alone when told to; runc joins the one named in the bundle, in every tree.
        RuntimeCommand command(Places at, List<String> rest, List<Path> cgroupFiles, Stage stage) {
            var argv = new ArrayList<>(List.of(path.toString(), "--root", at.state().toString(), "--log", at.log().toString()));
            if (isCrun()) {
                argv.add("--cgroup-manager=disabled");
            }
            argv.addAll(rest);
            return new RuntimeCommand(argv, cgroupFiles, at.nothing(), at.log(), () -> {
                stage.set();
                if (isCrun()) {
                    for (Path tree : unified) {
                        Mounts.unmount(tree);
                    }
                }
            });
        }

        /// Where it leaves the system-call filter that it has compiled for a container which waits to be started; empty when it does not.
        Optional<Path> compiledFilter(Places at, String container) {
            return isCrun() ? Optional.of(at.state().resolve(container).resolve("seccomp.bpf")) : Optional.empty();
        }

        /// Tells it to take that filter and not to compile the one in the bundle again, which takes 2 ms. A version that does not know the word compiles.
        Map<String, String> withFilter(byte[] filter) {
            return Map.of("run.oci.seccomp_bpf_data", Base64.getEncoder().encodeToString(filter));
        }
    }
}
