package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Measures, for docs/decisions: cold boot, restore, and what an idle copy takes. Run by hand; prints milliseconds and KiB.
final class RestoreMeasure {
    private static final int ROUNDS = 30;

    private RestoreMeasure() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        var lab = new QemuLab();
        try {
            var cold = lab.make();
            long begin = System.nanoTime();
            lab.vmm.start(cold.vm(), lab.guest);
            long started = System.nanoTime();
            cold.awaitHello(Duration.ofSeconds(60));
            say("cold boot: start returns %.1f, hello %.1f", millis(begin, started), millis(begin, System.nanoTime()));
            cold.close();
            lab.release(cold.vm());
            begin = System.nanoTime();
            var snapshot = lab.freeze(1);
            say("boot and freeze and load %.1f", millis(begin, System.nanoTime()));
            var returns = new ArrayList<Double>();
            var hellos = new ArrayList<Double>();
            var works = new ArrayList<Double>();
            for (int i = 0; i < ROUNDS; i++) {
                var copy = lab.make();
                begin = System.nanoTime();
                lab.vmm.restore(copy.vm(), snapshot);
                returns.add(millis(begin, System.nanoTime()));
                copy.awaitHello(Duration.ofSeconds(20));
                hellos.add(millis(begin, System.nanoTime()));
                works.add(lab.cgroups.usage(copy.vm().cgroup()).cpu().toNanos() / 1e6);
                if (i == ROUNDS - 1) {
                    Thread.sleep(1000);
                    say("idle copy: %s", memory(lab.process(copy.vm())));
                    begin = System.nanoTime();
                    for (int ping = 0; ping < 1000; ping++) {
                        copy.ask("ping");
                    }
                    say("round trip %.3f", millis(begin, System.nanoTime()) / 1000);
                    say("copy after 1000 pings: %s", memory(lab.process(copy.vm())));
                    begin = System.nanoTime();
                    for (int n = 0; n < 20; n++) {
                        lab.vmm.pause(copy.vm());
                        lab.vmm.resume(copy.vm());
                    }
                    say("pause and resume %.2f", millis(begin, System.nanoTime()) / 20);
                }
                copy.close();
                lab.release(copy.vm());
            }
            say("restore returns: %s", spread(returns));
            say("restore to hello: %s", spread(hellos));
            say("its CPU time, jail included: %s", spread(works));
        } finally {
            lab.close();
        }
    }

    private static String memory(int process) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + process + "/smaps_rollup")).stream()
                .filter(line -> line.matches("(Rss|Pss|Private_Dirty|Anonymous):.*")).map(line -> line.replaceAll(" +", " ")).toList().toString();
    }

    private static String spread(List<Double> values) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return "min %.1f p50 %.1f p95 %.1f".formatted(sorted[0], sorted[sorted.length / 2], sorted[(int) (sorted.length * 0.95)]);
    }

    private static double millis(long from, long to) {
        return (to - from) / 1e6;
    }

    private static void say(String format, Object... values) {
        System.out.println(format.formatted(Arrays.stream(values).toArray()));
    }
}
