package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.Sandbox;
import dev.caisson.client.Tier;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// What is under us without us, measured beside us: the runtime on the bundle of one of our sandboxes, and the agent with nobody between.
///
/// Image, settings and, for gVisor, limits are the same as ours.
final class BareRuntime {
    private static final int WITHIN_SECONDS = 120;

    private final Bench bench;

    BareRuntime(Bench bench) {
        this.bench = bench;
    }

    /// Milliseconds p50 from the runtime's start to the first byte of output of `echo hi`; empty when this machine has no such runtime.
    ///
    /// @param runtime `runsc`, else one for containers
    Optional<Double> createToOutput(String runtime, int rounds) throws Exception {
        var program = program(runtime);
        var tier = runtime.equals("runsc") ? Tier.GVISOR : Tier.CONTAINER;
        if (program.isEmpty()) {
            return Optional.empty();
        }
        try (var sandbox = bench.caisson().create(Bench.options(tier))) {
            var scratch = Files.createTempDirectory("caisson-bench");
            // Root of a container's user namespace must get through to what is mounted below.
            Files.setPosixFilePermissions(scratch, PosixFilePermissions.fromString("rwx--x--x"));
            try {
                double[] times = tier == Tier.GVISOR ? gvisor(program.get(), bundle(sandbox), scratch, rounds) : container(program.get(), bundle(sandbox), scratch, rounds);
                Arrays.sort(times);
                return Optional.of(Bench.median(times));
            } finally {
                remove(scratch);
            }
        }
    }

    /// Milliseconds p50 of starting `true` and hearing of its end, asked of our agent in gVisor by a host that does nothing else; empty when `caisson-agent-measure` is not installed.
    Optional<Double> commandRoundTrip(int pauseMillis, int cpus) throws Exception {
        var runsc = program("runsc");
        var measure = bench.installation().home().resolve("bin/caisson-agent-measure");
        if (runsc.isEmpty() || !Files.isExecutable(measure)) {
            return Optional.empty();
        }
        try (var sandbox = bench.caisson().create(Bench.options(Tier.GVISOR).withCpus(cpus))) {
            var scratch = Files.createTempDirectory("caisson-bench");
            Process agent = null;
            Process host = null;
            try {
                var door = Files.createDirectory(scratch.resolve("door"));
                Files.copy(bench.installation().home().resolve("bin/caisson-agent"), door.resolve("agent"), StandardCopyOption.COPY_ATTRIBUTES);
                var errors = scratch.resolve("errors").toFile();
                host = new ProcessBuilder(measure.toString(), door.resolve("agent.sock").toString(), "round-trip", Integer.toString(pauseMillis)).redirectError(errors).start();
                var socket = door.resolve("agent.sock");
                for (int i = 0; i < 500 && !Files.exists(socket); i++) {
                    Thread.sleep(10);
                }
                var config = gvisorConfig(bundle(sandbox), "agent", cpus, Optional.of(door));
                agent = new ProcessBuilder(gvisorRun(runsc.get(), config, scratch, "agent", "none")).redirectInput(new java.io.File("/dev/null")).redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(errors).start();
                String figure = new String(host.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
                if (!host.waitFor(WITHIN_SECONDS, TimeUnit.SECONDS) || host.exitValue() != 0) {
                    throw new CliException("the bare agent was not measured: " + Files.readString(errors.toPath()).strip(), "see docs/benchmarks.md");
                }
                return Optional.of(Double.parseDouble(figure));
            } finally {
                if (host != null) {
                    host.destroyForcibly();
                }
                if (agent != null) {
                    Bench.child(List.of(runsc.get().toString(), "--root", scratch.resolve("root").toString(), "kill", "agent", "KILL"), Map.of());
                    agent.waitFor(10, TimeUnit.SECONDS);
                    agent.destroyForcibly();
                }
                remove(scratch);
            }
        }
    }

    /// The command line of a program, given to a bare gVisor with a network namespace of its own.
    ///
    /// @param scratch an empty directory, which [#remove] removes afterwards
    List<String> guest(Path program, String argument, Path network, Path scratch, int cpus) throws IOException {
        var runsc = program("runsc").orElseThrow(() -> new CliException("there is no runsc to hold it against", "see `caisson doctor`"));
        try (var sandbox = bench.caisson().create(Bench.options(Tier.GVISOR))) {
            var door = Files.createDirectory(scratch.resolve("door"));
            Files.copy(program, door.resolve("program"), StandardCopyOption.COPY_ATTRIBUTES);
            var config = gvisorConfig(bundle(sandbox), "guest", cpus, Optional.of(door));
            var namespaces = config.object("linux").list("namespaces").stream()
                    .map(each -> each instanceof Json.Obj one && one.text("type").equals("network") ? replaced(one, Map.of("path", Json.of(network.toString()))) : each).toList();
            return gvisorRun(runsc, replaced(config, Map.of(
                    "process", replaced(config.object("process"), Map.of("args", Json.of(List.of("/.caisson/program", argument)), "terminal", Json.of(false))),
                    "linux", replaced(config.object("linux"), Map.of("namespaces", new Json.Array(namespaces))))), scratch, "guest", "sandbox");
        }
    }

    private Optional<Path> program(String name) {
        var places = Stream.of(bench.installation().home().resolve("bin"), Path.of("/usr/local/bin"), Path.of("/usr/bin"), Path.of("/usr/sbin"));
        return places.map(directory -> directory.resolve(name)).filter(Files::isExecutable).findFirst();
    }

    private Path bundle(Sandbox sandbox) {
        return bench.installation().run().resolve("s").resolve(sandbox.id()).resolve("bundle");
    }

    private static double[] gvisor(Path runsc, Path bundle, Path scratch, int rounds) throws Exception {
        double[] times = new double[rounds];
        // The first only warms up.
        for (int i = -1; i < rounds; i++) {
            String id = String.format("bench%04d%011d", i + 1, System.nanoTime() % 100_000_000_000L);
            var errors = scratch.resolve(id + ".errors");
            var command = gvisorRun(runsc, gvisorConfig(bundle, id, 1, Optional.empty()), scratch, id, "none");
            long start = System.nanoTime();
            var process = new ProcessBuilder(command).redirectInput(new java.io.File("/dev/null")).redirectError(errors.toFile()).start();
            int first = process.getInputStream().read();
            double time = (System.nanoTime() - start) / 1e6;
            if (!process.waitFor(WITHIN_SECONDS, TimeUnit.SECONDS) || first != 'h') {
                process.destroyForcibly();
                throw failed(runsc, Files.readString(errors, StandardCharsets.UTF_8));
            }
            if (i >= 0) {
                times[i] = time;
            }
        }
        return times;
    }

    private static List<String> gvisorRun(Path runsc, Json.Obj config, Path scratch, String id, String network) throws IOException {
        var own = Files.createDirectory(scratch.resolve(id));
        var disk = Files.createDirectory(own.resolve("disk"));
        Files.writeString(own.resolve("config.json"), config.write());
        return List.of(runsc.toString(), "--root", scratch.resolve("root").toString(), "--platform=systrap", "--network=" + network, "--host-uds=open", "--overlay2=root:dir=" + disk + ",size=" + (1L << 30),
                "run", "--bundle", own.toString(), id);
    }

    private double[] container(Path runtime, Path bundle, Path scratch, int rounds) throws Exception {
        var config = scratch.resolve("config.json");
        var ours = Json.parseObject(Files.readString(bundle.resolve("config.json")));
        Files.writeString(config, replaced(ours, Map.of(
                "process", echo(ours),
                "root", replaced(ours.object("root"), Map.of("path", Json.of("@ROOT@"))),
                "linux", replaced(ours.object("linux"), Map.of("cgroupsPath", Json.of("/@ID@"))))).write());
        var script = scratch.resolve("bare-container.bash");
        try (InputStream text = BareRuntime.class.getResourceAsStream("bare-container.bash")) {
            Files.copy(Objects.requireNonNull(text), script);
        }
        var mounts = Files.createDirectory(scratch.resolve("mounts"));
        var image = image();
        long first = ((Json.Obj) ours.object("linux").list("uidMappings").getFirst()).whole("hostID");
        var process = new ProcessBuilder("unshare", "--mount", "--propagation", "slave", "--", "bash", script.toString(), runtime.toString(), config.toString(), image.toString(), mounts.toString(),
                Integer.toString(rounds + 1), Long.toString(first)).redirectInput(new java.io.File("/dev/null")).redirectError(scratch.resolve("errors").toFile()).start();
        var lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).lines().toList();
        if (!process.waitFor(WITHIN_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw failed(runtime, Files.readString(scratch.resolve("errors"), StandardCharsets.UTF_8));
        }
        return lines.stream().skip(1).mapToDouble(Double::parseDouble).toArray();
    }

    /// Where the base image is mounted: as the root of a gVisor sandbox, which everybody may see.
    private Path image() throws IOException {
        try (var sandbox = bench.caisson().create(Bench.options(Tier.GVISOR))) {
            return root(bundle(sandbox));
        }
    }

    private static Path root(Path bundle) throws IOException {
        return bundle.resolve(Json.parseObject(Files.readString(bundle.resolve("config.json"))).object("root").text("path")).normalize();
    }

    /// The sandbox's own bundle, with `echo hi` in place of the agent, or another door, and its relative root made absolute. We set the limits from outside the
    /// bundle; the bare runtime is told them in it, as it would be by anybody.
    private static Json.Obj gvisorConfig(Path bundle, String id, int cpus, Optional<Path> door) throws IOException {
        var config = Json.parseObject(Files.readString(bundle.resolve("config.json")));
        var resources = Json.object()
                .put("memory", Json.object().put("limit", 512L << 20).done())
                .put("cpu", Json.object().put("quota", cpus * 100_000).put("period", 100_000).done())
                .put("pids", Json.object().put("limit", 1_024).done())
                .done();
        var changes = new HashMap<String, Json>(Map.of(
                "root", replaced(config.object("root"), Map.of("path", Json.of(root(bundle).toString()))),
                "linux", replaced(config.object("linux"), Map.of("cgroupsPath", Json.of("/caisson-bench-" + id), "resources", resources))));
        if (door.isEmpty()) {
            changes.put("process", echo(config));
        } else {
            changes.put("mounts", new Json.Array(config.list("mounts").stream().map(mount -> mount instanceof Json.Obj each && each.text("destination").equals("/.caisson")
                    ? replaced(each, Map.of("source", Json.of(door.get().toString()))) : mount).toList()));
        }
        return replaced(config, changes);
    }

    private static Json echo(Json.Obj config) {
        return replaced(config.object("process"), Map.of("args", Json.of(List.of("/bin/echo", "hi")), "terminal", Json.of(false)));
    }

    private static Json.Obj replaced(Json.Obj object, Map<String, Json> changes) {
        var members = new LinkedHashMap<>(object.members());
        members.putAll(changes);
        return new Json.Obj(members);
    }

    private static CliException failed(Path runtime, String errors) {
        return new CliException("the bare " + runtime.getFileName() + " did not run our bundle: " + errors.strip(), "see docs/benchmarks.md");
    }

    /// Removes a scratch directory, and what a runtime left mounted below it (runsc keeps its empty network namespace there).
    static void remove(Path directory) throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/self/mounts"))) {
            String at = line.split(" ")[1];
            if (at.startsWith(directory + "/")) {
                Bench.child(List.of("umount", "--lazy", at), Map.of());
            }
        }
        try (var files = Files.walk(directory)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
