package dev.caisson.cli;

import dev.caisson.client.CommandOptions;
import dev.caisson.client.Json;
import dev.caisson.client.Output;
import dev.caisson.client.Sandbox;
import dev.caisson.client.Tier;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/// Every measure of `caisson bench`, in the order they are taken.
final class Measures {
    private static final double MIB = 1 << 20;

    private Measures() {}

    static final List<Measure> ALL = Stream.of(List.of(
            new Measure("cli-start", "ms p50 of `caisson --version`, beside a bare JVM that prints its version", Measures::cliStart),
            new Measure("command-round-trip", "ms p50 of `true` in a running sandbox, 2 ms after the last, through the API, beside the bare agent in gvisor", bench -> commandRoundTrip(bench, 2)),
            new Measure("command-round-trip-busy", "the same, each command right after the last", bench -> commandRoundTrip(bench, 0)),
            new Measure("command-round-trip-rest", "the same, 30 ms after the last", bench -> commandRoundTrip(bench, 30)),
            new Measure("stdout-throughput", "MB/s of a command's output through `caisson run`", Measures::stdoutThroughput),
            new Measure("create-to-first-output", "ms p50 of a cold create to the first output in gvisor, beside a bare `runsc run` of the same bundle", bench -> createToOutput(bench, Tier.GVISOR, "runsc", 1.15)),
            new Measure("create-to-first-output-container", "the same in tier container, beside a bare `runc run` of the same image and bundle", bench -> createToOutput(bench, Tier.CONTAINER, "runc", 1.25).noting(beside(bench, "crun"))),
            new Measure("create-10-at-once", "ms until ten sandboxes made at once have all given output", Measures::tenAtOnce),
            new Measure("delete-to-receipt", "ms p50 from delete to its receipt", Measures::deleteToReceipt),
            new Measure("idle-memory", "MiB of PSS an idle gvisor sandbox, ours included, at 16 alive", Measures::idleMemory),
            new Measure("processes-memory", "MiB resident of our processes together, with 100 sandboxes alive", Measures::processesMemory),
            new Measure("cycles", "things leaked in 2,000 cycles of create, run and delete", Measures::cycles)), E2bMeasures.ALL, PreviewMeasures.ALL, EgressMeasures.ALL, MicrovmMeasures.ALL).flatMap(List::stream).toList();

    private static Measure.Figure cliStart(Bench bench) throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        double ours = Bench.median(Bench.times(bench.rounds(15), () -> Bench.child(Bench.self("--version"), Map.of())));
        double bare = Bench.median(Bench.times(bench.rounds(15), () -> Bench.child(List.of(java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-version"), Map.of())));
        return new Measure.Figure(ours, OptionalDouble.of(bare), "ms", 150, false, false, "");
    }

    /// A sandbox that rests is slower to answer than one that is kept busy, whoever asks it; so both are given the same pause.
    private static Measure.Figure commandRoundTrip(Bench bench, int pauseMillis) throws Exception {
        // Starting a program costs gVisor 9 ms of CPU: with one CPU, commands right after each other would measure its limit.
        int cpus = 2;
        try (var sandbox = bench.caisson().create(Bench.options(Tier.GVISOR).withCpus(cpus))) {
            double ours;
            var address = bench.session().address();
            try (var http = new RawHttp(URI.create(address.url()))) {
                Bench.Doing ask = () -> runTrue(http, sandbox.id(), address.key());
                for (int i = 0; i < bench.rounds(100); i++) {
                    ask.go(); // until our own part is compiled
                }
                ours = Bench.median(Bench.times(bench.rounds(300), () -> Thread.sleep(pauseMillis), ask));
            }
            var bare = new BareRuntime(bench).commandRoundTrip(pauseMillis, cpus);
            if (bare.isEmpty()) {
                return new Measure.Figure(ours, OptionalDouble.empty(), "ms", 0, false, false, "caisson-agent-measure is not installed, so there is nothing to hold it against");
            }
            return new Measure.Figure(ours, OptionalDouble.of(bare.get()), "ms", bare.get() + 1, false, false, "may be 1 ms above the bare agent's, which is asked by a host that does nothing else");
        }
    }

    private static void run(Sandbox sandbox, String... argv) throws IOException {
        try (var command = sandbox.start(CommandOptions.of(argv))) {
            command.await(Output.NONE, Output.NONE);
        }
    }

    /// Runs `true` by one request, and hears that it has ended well.
    private static void runTrue(RawHttp http, String sandbox, String key) throws IOException {
        http.send("POST /v1/sandboxes/" + sandbox + "/commands?wait=true HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key + "\r\nContent-Type: application/json\r\n",
                "{\"argv\":[\"true\"]}".getBytes(StandardCharsets.US_ASCII));
        int status = http.status();
        String text = http.text();
        if (status != 200 || Json.parseObject(text).whole("status") != 0) {
            throw new CliException("`true` was answered with " + status + ": " + text, "see `caisson doctor`");
        }
    }

    private static Measure.Figure stdoutThroughput(Bench bench) throws Exception {
        long bytes = 1L << 30;
        double small = Bench.median(Bench.times(bench.rounds(3), () -> Bench.child(printing(1), Map.of())));
        double large = Bench.median(Bench.times(bench.rounds(3), () -> Bench.child(printing(bytes >> 20), Map.of())));
        double extra = large - small * (1 - 1.0 / (bytes >> 20));
        return Measure.Figure.atLeast(bytes / 1e6 / (extra / 1e3), "MB/s", 200).noting("1 GiB in writes of 1 MiB, without the " + Math.round(small) + " ms that a run of 1 MiB takes");
    }

    private static List<String> printing(long mebibytes) {
        return Bench.self("run", "-q", "--output-limit", "2g", "--", "dd", "if=/dev/zero", "bs=1M", "count=" + mebibytes, "status=none");
    }

    private static Measure.Figure createToOutput(Bench bench, Tier tier, String runtime, double target) throws Exception {
        int rounds = bench.rounds(20);
        bench.createToOutput(tier);
        double[] ours = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            ours[i] = bench.createToOutput(tier);
        }
        java.util.Arrays.sort(ours);
        var bare = new BareRuntime(bench).createToOutput(runtime, rounds);
        return new Measure.Figure(Bench.median(ours), bare.isPresent() ? OptionalDouble.of(bare.get()) : OptionalDouble.empty(), "ms", target, true, false,
                bare.isPresent() ? "" : "this machine has no " + runtime + " to hold it against");
    }

    /// What another bare runtime takes, for the reader: with the bundle of a sandbox that crun started comes its filter of system calls, compiled.
    private static String beside(Bench bench, String runtime) throws Exception {
        return new BareRuntime(bench).createToOutput(runtime, bench.rounds(20)).map(each -> String.format(Locale.ROOT, "bare %s: %.1f ms", runtime, each)).orElse("no " + runtime + " here");
    }

    private static Measure.Figure tenAtOnce(Bench bench) throws Exception {
        double ours = Bench.median(Bench.times(bench.rounds(3), () -> together(10, () -> bench.createToOutput(Tier.GVISOR))));
        var bare = new BareRuntime(bench).createToOutput("runsc", bench.rounds(5));
        return new Measure.Figure(ours, OptionalDouble.empty(), "ms", bare.map(each -> each * 10 * 1.2).orElse(0.0), false, false,
                "held against ten bare ones after each other; with the deletes");
    }

    /// Does the same at once so many times; the first failure is thrown.
    static void together(int count, Callable<?> doing) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var all = new ArrayList<java.util.concurrent.Future<?>>();
            for (int i = 0; i < count; i++) {
                all.add(threads.submit(doing));
            }
            for (var each : all) {
                each.get();
            }
        }
    }

    private static Measure.Figure deleteToReceipt(Bench bench) throws Exception {
        int rounds = bench.rounds(20);
        double[] times = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            var sandbox = bench.sandbox();
            run(sandbox, "true");
            long start = System.nanoTime();
            sandbox.delete();
            times[i] = (System.nanoTime() - start) / 1e6;
        }
        java.util.Arrays.sort(times);
        return Measure.Figure.atMost(Bench.median(times), "ms", 50).noting("p95 " + Math.round(times[(int) (rounds * 0.95)]) + " ms");
    }

    private static Measure.Figure idleMemory(Bench bench) throws Exception {
        int count = bench.rounds(16);
        var sandboxes = new ArrayList<Sandbox>();
        try {
            double before = pss(List.of());
            for (int i = 0; i < count; i++) {
                sandboxes.add(bench.sandbox());
            }
            double after = pss(sandboxes.stream().map(Sandbox::id).toList());
            return Measure.Figure.atMost((after - before) / count / MIB, "MiB", 22);
        } finally {
            sandboxes.forEach(Sandbox::close);
        }
    }

    /// PSS of every process whose command line or cgroup names one of those sandboxes, and of our own. Unit: bytes.
    private static double pss(List<String> ids) {
        var installation = Installation.ofEnvironment();
        var own = Installation.PROCESSES.stream().flatMap(name -> installation.process(name).stream()).map(ProcessHandle::pid).toList();
        return memory(ids, own, List.of("Pss:"));
    }

    /// What those lines of smaps_rollup say together, of every process whose command line or cgroup names one of those sandboxes, and of some more. Unit: bytes.
    static double memory(List<String> ids, List<Long> own, List<String> lines) {
        double sum = 0;
        for (var process : ProcessHandle.allProcesses().toList()) {
            String line = read("/proc/" + process.pid() + "/cmdline") + read("/proc/" + process.pid() + "/cgroup");
            if (own.contains(process.pid()) || ids.stream().anyMatch(line::contains)) {
                sum += read("/proc/" + process.pid() + "/smaps_rollup").lines().filter(each -> lines.stream().anyMatch(each::startsWith)).mapToDouble(each -> Double.parseDouble(each.replaceAll("[^0-9]", "")) * 1024).sum();
            }
        }
        return sum;
    }

    private static String read(String file) {
        try {
            return Files.readString(Path.of(file), java.nio.charset.StandardCharsets.ISO_8859_1);
        } catch (IOException _) {
            return "";
        }
    }

    private static Measure.Figure processesMemory(Bench bench) throws Exception {
        int count = bench.rounds(100);
        var sandboxes = new ArrayList<Sandbox>();
        try {
            for (int i = 0; i < count; i++) {
                sandboxes.add(bench.sandbox());
            }
            double sum = 0;
            var parts = new ArrayList<String>();
            for (String name : Installation.PROCESSES) {
                for (String file : List.of(name, name + ".keeper")) {
                    var process = file.equals(name) ? bench.installation().process(name) : bench.installation().keeper(name);
                    double resident = process.map(each -> (double) StatusCommand.resident(each.pid())).orElse(0.0);
                    sum += resident;
                    if (file.equals(name)) {
                        parts.add(name + " " + Math.round(resident / MIB));
                    }
                }
            }
            return Measure.Figure.atMost(sum / MIB, "MiB", 300).noting(String.join(", ", parts) + ", keepers included, " + count + " alive");
        } finally {
            sandboxes.forEach(Sandbox::close);
        }
    }

    /// What our processes hold when nothing is asked of them for half a minute, in which garbage and freed memory go back: the least seen. Unit: bytes.
    private static long settled(Bench bench) throws InterruptedException {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 7; i++) {
            least = Math.min(least, bench.resident());
            Thread.sleep(5_000);
        }
        return least;
    }

    private static Measure.Figure cycles(Bench bench) throws Exception {
        int count = bench.rounds(2_000);
        long before = bench.caisson().status().leaked();
        var notes = new ArrayList<String>();
        long start = System.nanoTime();
        for (int i = 1; i <= count; i++) {
            try (var sandbox = bench.sandbox()) {
                run(sandbox, "true");
            }
            if (i == Math.max(1, count / 10) || i == count) {
                long paused = System.nanoTime();
                notes.add("at " + i + " " + Amounts.shown(settled(bench)) + " resident");
                start += System.nanoTime() - paused;
            }
        }
        var took = Duration.ofNanos(System.nanoTime() - start);
        return Measure.Figure.atMost(bench.caisson().status().leaked() - before, "leaks", 0).noting(count + " cycles in " + Amounts.shown(took) + ", " + String.join(", ", notes));
    }
}
