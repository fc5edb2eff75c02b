package dev.caisson.cli;

import dev.caisson.client.Caisson;
import dev.caisson.client.CommandOptions;
import dev.caisson.client.Output;
import dev.caisson.client.Sandbox;
import dev.caisson.client.SandboxOptions;
import dev.caisson.client.Tier;
import dev.caisson.client.Trust;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// What measures are taken with: an installation, a clock, and the bare runtimes.
///
/// @param rounds how often each thing is done; 0 lets each measure choose
/// @param lab for what is measured of the way out
record Bench(Session session, Installation installation, int rounds, EgressLab lab) {
    private static final Duration CHILD_WITHIN = Duration.ofSeconds(60);

    Caisson caisson() {
        return session.caisson();
    }

    int rounds(int otherwise) {
        return rounds > 0 ? rounds : otherwise;
    }

    /// Something that is done once a round.
    interface Doing {
        void go() throws Exception;
    }

    /// Times of so many rounds after three to warm up, in milliseconds, sorted.
    static double[] times(int rounds, Doing doing) throws Exception {
        return times(rounds, () -> {}, doing);
    }

    /// The same, with something before each that is not timed.
    static double[] times(int rounds, Doing before, Doing doing) throws Exception {
        for (int i = 0; i < Math.min(3, rounds); i++) {
            doing.go();
        }
        double[] times = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            before.go();
            long start = System.nanoTime();
            doing.go();
            times[i] = (System.nanoTime() - start) / 1e6;
        }
        Arrays.sort(times);
        return times;
    }

    static double median(double[] sorted) {
        return sorted[sorted.length / 2];
    }

    static SandboxOptions options(Tier tier) {
        var options = SandboxOptions.defaults().withLease(Duration.ofMinutes(10));
        return tier == Tier.CONTAINER ? options.withTier(tier).withTrust(Trust.TRUSTED) : options.withTier(tier);
    }

    Sandbox sandbox() {
        return caisson().create(options(Tier.GVISOR));
    }

    /// What our processes hold together. Unit: bytes.
    long resident() {
        return Installation.PROCESSES.stream().flatMap(name -> installation.process(name).stream()).mapToLong(each -> StatusCommand.resident(each.pid())).sum();
    }

    /// Makes a sandbox, runs `echo hi` in it, and answers the milliseconds from the request to the first byte of output.
    double createToOutput(Tier tier) throws IOException {
        long start = System.nanoTime();
        long[] first = {0};
        try (var sandbox = caisson().create(options(tier)); var command = sandbox.start(CommandOptions.of("echo", "hi"))) {
            command.await(_ -> first[0] = first[0] == 0 ? System.nanoTime() : first[0], Output.NONE);
        }
        return (first[0] - start) / 1e6;
    }

    /// How long a program takes, its output thrown away; milliseconds.
    static double child(List<String> command, Map<String, String> environment) throws Exception {
        var builder = new ProcessBuilder(command).redirectInput(new java.io.File("/dev/null")).redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().putAll(environment);
        long start = System.nanoTime();
        var process = builder.start();
        if (!process.waitFor(CHILD_WITHIN.toSeconds(), TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new CliException(command.getFirst() + " did not end within " + CHILD_WITHIN.toSeconds() + " s", "see what the machine is doing");
        }
        return (System.nanoTime() - start) / 1e6;
    }

    /// This very command line program, as it was started, with other words.
    static List<String> self(String... words) {
        return java(Main.class.getName(), words);
    }

    /// Another program of ours, started as this one was.
    static List<String> java(String main, String... words) {
        var info = ProcessHandle.current().info();
        var command = new ArrayList<String>();
        command.add(info.command().orElse(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        for (String argument : java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            command.add(argument);
        }
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main));
        command.addAll(List.of(words));
        return command;
    }
}
