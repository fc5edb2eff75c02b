package dev.caisson.cli;

import dev.caisson.client.CommandOptions;
import dev.caisson.client.Driver;
import dev.caisson.client.DriverStatus;
import dev.caisson.client.Output;
import dev.caisson.client.Sandbox;
import dev.caisson.client.SandboxOptions;
import dev.caisson.client.Standing;
import dev.caisson.client.Tier;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// What `caisson bench` measures of microVMs, by whatever driver this machine has for them; targets differ where that driver only emulates.
final class MicrovmMeasures {
    private static final double MIB = 1 << 20;
    /// No machine takes longer to make ahead, once its snapshot is there.
    private static final Duration STANDBY_REST = Duration.ofSeconds(4);
    private static final Duration STANDBY_PATIENCE = Duration.ofSeconds(30);
    private static final Duration LOOK = Duration.ofMillis(50);

    private MicrovmMeasures() {}

    static final List<Measure> ALL = List.of(
            new Measure("microvm-create-to-output", "ms p50 of a create to the output of `echo hi` in a microVM", bench -> p50(bench, CommandOptions.of("echo", "hi"), 60, 200)),
            new Measure("microvm-create-to-output-p95", "the same, p95", MicrovmMeasures::p95),
            new Measure("microvm-python", "ms p50 of a create to the output of `python3 -c` in a microVM", bench -> p50(bench, CommandOptions.of("python3", "-c", "print(1)"), 100, 250)),
            new Measure("microvm-eight-at-once", "ms until eight microVMs made at once have all given output", MicrovmMeasures::eightAtOnce),
            new Measure("microvm-memory", "MiB that only one idle microVM with 256 MiB has, at 8 alive", MicrovmMeasures::memory));

    private static SandboxOptions options() {
        return Bench.options(Tier.MICROVM).withMemory(256L << 20);
    }

    /// Sorted milliseconds from the request to the first byte of output.
    private static double[] times(Bench bench, CommandOptions command, int rounds) throws IOException, SkippedException, InterruptedException {
        isEmulated(bench);
        toOutput(bench, command);
        long standbys = standbysAtRest(bench);
        double[] times = new double[bench.rounds(rounds)];
        for (int i = 0; i < times.length; i++) {
            awaitStandbys(bench, standbys);
            times[i] = toOutput(bench, command);
        }
        Arrays.sort(times);
        return times;
    }

    /// How many stand by once no more are made; 0 where none is made ahead.
    private static long standbysAtRest(Bench bench) throws IOException, InterruptedException {
        long count = -1;
        for (long now = bench.caisson().status().standingBy(); now != count; now = bench.caisson().status().standingBy()) {
            count = now;
            Thread.sleep(STANDBY_REST);
        }
        return count;
    }

    /// As one finds it who does not come right after another.
    private static void awaitStandbys(Bench bench, long count) throws IOException, InterruptedException {
        long until = System.nanoTime() + STANDBY_PATIENCE.toNanos();
        while (bench.caisson().status().standingBy() < count) {
            if (System.nanoTime() > until) {
                throw new IOException(bench.caisson().status().standingBy() + " machines stand by, not " + count + ", after " + STANDBY_PATIENCE.toSeconds() + " s");
            }
            Thread.sleep(LOOK);
        }
    }

    private static double toOutput(Bench bench, CommandOptions options) throws IOException {
        long start = System.nanoTime();
        long[] first = {0};
        try (var sandbox = bench.caisson().create(options()); var command = sandbox.start(options)) {
            command.await(_ -> first[0] = first[0] == 0 ? System.nanoTime() : first[0], Output.NONE);
        }
        return (first[0] - start) / 1e6;
    }

    private static Measure.Figure p50(Bench bench, CommandOptions command, double target, double emulated) throws IOException, SkippedException, InterruptedException {
        double[] times = times(bench, command, 50);
        return figure(bench, Bench.median(times), target, emulated, String.format(Locale.ROOT, "p95 %.0f ms", times[times.length * 95 / 100]));
    }

    private static Measure.Figure p95(Bench bench) throws IOException, SkippedException, InterruptedException {
        double[] times = times(bench, CommandOptions.of("echo", "hi"), 50);
        return figure(bench, times[times.length * 95 / 100], 120, 300, "");
    }

    private static Measure.Figure eightAtOnce(Bench bench) throws Exception {
        isEmulated(bench);
        toOutput(bench, CommandOptions.of("echo", "hi"));
        double ours = Bench.median(Bench.times(bench.rounds(5), () -> Measures.together(8, () -> toOutput(bench, CommandOptions.of("echo", "hi")))));
        return figure(bench, ours, 2000, 2000, "with the deletes");
    }

    private static Measure.Figure figure(Bench bench, double ours, double target, double emulated, String note) throws SkippedException, InterruptedException {
        boolean emulates = isEmulated(bench);
        String what = emulates ? "emulated" + (note.isEmpty() ? "" : ", " + note) : note;
        return Measure.Figure.atMost(ours, "ms", emulates ? emulated : target).noting(what);
    }

    /// Waits while a node that has just started finds out. Errors: a [SkippedException] where this installation gives no microVMs.
    private static boolean isEmulated(Bench bench) throws SkippedException, InterruptedException {
        var status = bench.caisson().status();
        while (status.drivers().stream().anyMatch(DriverStatus::isBeingTried)) {
            Thread.sleep(LOOK);
            status = bench.caisson().status();
        }
        var fit = status.drivers().stream().filter(each -> each.tier().equals("microvm") && each.isFit()).toList();
        boolean real = fit.stream().anyMatch(each -> !each.isEmulated());
        if (!real && (fit.isEmpty() || status.policy().filter(Standing::acceptsEmulated).isEmpty())) {
            throw new SkippedException(fit.isEmpty() ? "this machine has no microVMs: see `caisson doctor`" : "this machine's microVMs are " + Driver.EMULATED + "; accept that with --accept-emulated");
        }
        return !real;
    }

    private static Measure.Figure memory(Bench bench) throws Exception {
        isEmulated(bench);
        int count = bench.rounds(8);
        var sandboxes = new ArrayList<Sandbox>();
        try {
            for (int i = 0; i < count; i++) {
                sandboxes.add(bench.caisson().create(options()));
            }
            // Until their kernels rest.
            Thread.sleep(2000);
            double bytes = Measures.memory(sandboxes.stream().map(Sandbox::id).toList(), List.of(), List.of("Private_Clean:", "Private_Dirty:"));
            return Measure.Figure.atMost(bytes / count / MIB, "MiB", 40);
        } finally {
            sandboxes.forEach(Sandbox::close);
        }
    }
}
