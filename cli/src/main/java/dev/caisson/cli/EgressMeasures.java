package dev.caisson.cli;

import dev.caisson.client.EgressOptions;
import dev.caisson.client.Json;
import dev.caisson.client.Tier;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.StringJoiner;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Measures of the way out: a client in a sandbox and servers outside, beside the same client and servers with nothing between them, taking turns.
final class EgressMeasures {
    private static final double MIB = 1 << 20;
    private static final String ECHO = EgressLab.SITE + ":7000";
    private static final int BULK_PORT = 7001;
    private static final String NETWORK = "192.0.2.0/24";
    private static final int CONNECTIONS = 5_000;
    private static final int RATE = 2_000;
    private static final int RATE_SECONDS = 5;
    /// Connections in one round: for one alone both sides would have to wake up first.
    private static final int BATCH = 25;

    private EgressMeasures() {}

    static final List<Measure> ALL = List.of(
            new Measure("plug", "ms p50 of a create with a way out, from request to answer, beside one without, in tier container", EgressMeasures::plug),
            new Measure("egress-connect", "ms p50 from connect to the first byte of an echo outside, from gvisor, beside a bare gvisor with a link to the server", bench -> connect(bench, Tier.GVISOR)),
            new Measure("egress-connect-container", "the same from tier container, beside the client in a plain network namespace", bench -> connect(bench, Tier.CONTAINER)),
            new Measure("egress-throughput", "MB/s of raw TCP into a gvisor sandbox, beside a bare gvisor", bench -> throughput(bench, Tier.GVISOR, 256L << 20)),
            new Measure("egress-throughput-container", "the same in tier container, beside the client in a plain network namespace", bench -> throughput(bench, Tier.CONTAINER, 2L << 30)),
            new Measure("egress-throughput-tls", "MB/s of an answer over TLS that is opened on its way into a gvisor sandbox, beside a bare gvisor", bench -> tls(bench, Tier.GVISOR, 128L << 20)),
            new Measure("egress-throughput-tls-container", "the same in tier container, beside the client in a plain network namespace", bench -> tls(bench, Tier.CONTAINER, 512L << 20)),
            new Measure("egress-connections", "connections of one sandbox that are open and echo at once", EgressMeasures::connections),
            new Measure("egress-connections-memory", "MiB resident of the gateway at most, while those are opened and echo, three times over", EgressMeasures::connectionsMemory),
            new Measure("egress-rate", "new connections a second of one sandbox, each with an echo, beside the client in a plain network namespace", EgressMeasures::rate),
            new Measure("egress-denied", "ms p50 until what is not allowed is refused, the slowest of four kinds, from gvisor", bench -> denied(bench, Tier.GVISOR)),
            new Measure("egress-denied-container", "the same from tier container", bench -> denied(bench, Tier.CONTAINER)),
            new Measure("egress-rule-change", "ms p50 from the PUT of new rules to the end of an open connection that they do not allow, as seen in a gvisor sandbox", EgressMeasures::ruleChange));

    private static EgressOptions addresses() {
        return EgressOptions.list().withAllow(NETWORK);
    }

    private static double median(double[] times) {
        Arrays.sort(times);
        return Bench.median(times);
    }

    /// Medians of so many rounds of both, which take turns; those before the first only warm up.
    private static double[] turns(int rounds, int before, Rounds ours, String oursRound, Rounds bare, String bareRound) throws IOException {
        double[] through = new double[rounds];
        double[] direct = new double[rounds];
        for (int i = -before; i < rounds; i++) {
            double one = ours.round(oursRound);
            double other = bare.round(bareRound);
            if (i >= 0) {
                through[i] = one;
                direct[i] = other;
            }
        }
        return new double[] {median(through), median(direct)};
    }

    private static Measure.Figure plug(Bench outer) throws Exception {
        var lab = outer.lab();
        var caisson = lab.bench().caisson();
        int rounds = outer.rounds(60);
        double[] with = new double[rounds];
        double[] without = new double[rounds];
        for (int i = -10; i < rounds; i++) {
            for (boolean way : List.of(true, false)) {
                var options = Bench.options(Tier.CONTAINER);
                long start = System.nanoTime();
                try (var _ = caisson.create(way ? options.withEgress(addresses()) : options)) {
                    if (i >= 0) {
                        (way ? with : without)[i] = (System.nanoTime() - start) / 1e6;
                    }
                }
            }
        }
        double bare = median(without);
        return new Measure.Figure(median(with), OptionalDouble.of(bare), "ms", bare + 1, false, false, "may be 1 ms above a create without a way out; both take their plug from the pool");
    }

    private static Measure.Figure connect(Bench outer, Tier tier) throws Exception {
        var lab = outer.lab();
        try (var sandbox = lab.sandbox(tier, addresses()); var ours = lab.client(sandbox); var bare = lab.bareClient(tier)) {
            String round = "connect " + ECHO + " " + BATCH;
            double[] both = turns(outer.rounds(60), 20, ours, round, bare, round);
            return new Measure.Figure(both[0], OptionalDouble.of(both[1]), "ms", both[1] + 1, false, false, "may be 1 ms above the direct one");
        }
    }

    private static Measure.Figure throughput(Bench outer, Tier tier, long bytes) throws Exception {
        var lab = outer.lab();
        try (var sandbox = lab.sandbox(tier, addresses()); var ours = lab.client(sandbox); var bare = lab.bareClient(tier); var relayed = lab.relayed(BULK_PORT)) {
            String words = " " + EgressLab.SITE + ":" + BULK_PORT + " " + bytes;
            double[] down = turns(outer.rounds(7), 2, ours, "down" + words, bare, "down" + words);
            double[] up = turns(outer.rounds(7), 2, ours, "up" + words, bare, "up" + words);
            String note = String.format(Locale.ROOT, "%d MiB at a time; out of the sandbox %.0f, direct %.0f MB/s, ratio %.2f", bytes >> 20, up[0], up[1], up[0] / up[1]);
            if (tier == Tier.CONTAINER) {
                String through = " " + relayed.address() + " " + bytes;
                double[] relay = turns(outer.rounds(7), 1, relayed.client(), "down" + through, relayed.client(), "up" + through);
                note += String.format(Locale.ROOT, "; a relay that only copies, in the kernel: in %.0f, out %.0f MB/s", relay[0], relay[1]);
            }
            return new Measure.Figure(down[0], OptionalDouble.of(down[1]), "MB/s", 0.7, true, true, note);
        }
    }

    private static Measure.Figure tls(Bench outer, Tier tier, long bytes) throws Exception {
        var lab = outer.lab();
        var opened = EgressOptions.list().withRule(Json.object().put("allow", EgressLab.NAME).put("inspect", true).done());
        try (var sandbox = lab.sandbox(tier, opened); var ours = lab.client(sandbox); var bare = lab.bareClient(tier)) {
            double[] both = turns(outer.rounds(7), 3, ours, "fetch " + EgressLab.NAME + " " + EgressLab.NAME + ":443 " + bytes, bare, "fetch " + EgressLab.NAME + " " + EgressLab.SITE + ":443 " + bytes);
            return new Measure.Figure(both[0], OptionalDouble.of(both[1]), "MB/s", 0.4, true, true, (bytes >> 20) + " MiB at a time");
        }
    }

    /// @param good of them that echoed, all asked at once
    /// @param most the gateway's memory, at most
    /// @param end the same, when all were open and had echoed
    private record Opened(int good, double openMs, double echoMs, long before, long most, long end) {
        String story() {
            return String.format(Locale.ROOT, "opened in %.0f ms, an echo of all at once in %.0f ms; gateway %s before, %s with all open, at most %s", openMs, echoMs, Amounts.shown(before),
                    Amounts.shown(end), Amounts.shown(most));
        }
    }

    private static Opened open(Bench outer) throws Exception {
        var lab = outer.lab();
        try (var sandbox = lab.sandbox(Tier.CONTAINER, addresses()); var client = lab.client(sandbox)) {
            long before = lab.gatewayResident();
            long[] most = {before};
            var over = new CountDownLatch(1);
            var watching = Thread.ofPlatform().start(() -> {
                try {
                    while (!over.await(10, TimeUnit.MILLISECONDS)) {
                        most[0] = Math.max(most[0], lab.gatewayResident());
                    }
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            int count = outer.rounds(CONNECTIONS);
            long start = System.nanoTime();
            double opened = client.round("open " + ECHO + " " + count);
            double openMs = (System.nanoTime() - start) / 1e6;
            start = System.nanoTime();
            double good = client.round("echo");
            double echoMs = (System.nanoTime() - start) / 1e6;
            long end = lab.gatewayResident();
            over.countDown();
            watching.join();
            client.round("drop");
            return new Opened((int) Math.min(opened, good), openMs, echoMs, before, most[0], end);
        }
    }

    private static Measure.Figure connections(Bench outer) throws Exception {
        var opened = open(outer);
        return Measure.Figure.atLeast(opened.good(), "connections", CONNECTIONS).noting(opened.story());
    }

    /// Three times: what the first leaves behind is still there in the next.
    private static Measure.Figure connectionsMemory(Bench outer) throws Exception {
        long most = 0;
        var each = new StringJoiner("; ");
        for (int i = 0; i < 3; i++) {
            var opened = open(outer);
            most = Math.max(most, opened.most());
            each.add(opened.good() + " connections, " + opened.story());
        }
        return Measure.Figure.atMost(most / MIB, "MiB", 150).noting("thrice: " + each);
    }

    private static Measure.Figure rate(Bench outer) throws Exception {
        var lab = outer.lab();
        try (var sandbox = lab.sandbox(Tier.CONTAINER, addresses()); var ours = lab.client(sandbox); var bare = lab.bareClient(Tier.CONTAINER)) {
            String round = "rate " + ECHO + " " + RATE * RATE_SECONDS;
            double[] both = turns(outer.rounds(3), 1, ours, round, bare, round);
            return new Measure.Figure(both[0], OptionalDouble.of(both[1]), "connections/s", RATE, false, true,
                    String.format(Locale.ROOT, "%d, 64 at a time; gateway %s then", RATE * RATE_SECONDS, Amounts.shown(lab.gatewayResident())));
        }
    }

    private static Measure.Figure denied(Bench outer, Tier tier) throws Exception {
        var lab = outer.lab();
        int count = outer.rounds(200);
        // In the one no address is reached without a name, so the kernel refuses; in the other the gateway has to look.
        try (var named = lab.sandbox(tier, EgressOptions.list().withAllow(EgressLab.NAME + ":443")); var byName = lab.client(named);
                var listed = lab.sandbox(tier, EgressOptions.list().withAllow(EgressLab.SITE)); var byAddress = lab.client(listed)) {
            double kernel = refused(byName, "refused " + ECHO + " " + count);
            double port = refused(byName, "refused " + EgressLab.NAME + ":7000 " + count);
            double name = refused(byName, "unknown denied.bench.example " + count);
            double address = refused(byAddress, "refused 192.0.2.200:7000 " + count);
            return Measure.Figure.atMost(Math.max(Math.max(kernel, port), Math.max(name, address)), "ms", 5).noting(String.format(Locale.ROOT,
                    "an address %.2f, another address than those allowed %.2f, another port of an allowed name %.2f, a name %.2f", kernel, address, port, name));
        }
    }

    /// The second time: the first compiles it.
    private static double refused(Rounds client, String round) throws IOException {
        client.round(round);
        return client.round(round);
    }

    private static Measure.Figure ruleChange(Bench outer) throws Exception {
        var lab = outer.lab();
        int rounds = outer.rounds(20);
        double[] cut = new double[rounds];
        double[] put = new double[rounds];
        try (var sandbox = lab.sandbox(Tier.GVISOR, addresses()); var client = lab.client(sandbox)) {
            for (int i = -3; i < rounds; i++) {
                sandbox.setEgress(addresses());
                if (client.round("open " + ECHO + " 1") != 1) {
                    throw new CliException("a connection that is allowed was not let through", "see `caisson doctor`");
                }
                client.ask("cut");
                long start = System.nanoTime();
                sandbox.setEgress(EgressOptions.list().withAllow(EgressLab.NAME));
                double put1 = (System.nanoTime() - start) / 1e6;
                client.answer();
                double cut1 = (System.nanoTime() - start) / 1e6;
                // From the answer on nothing new is let through: it fails when it is.
                client.round("refused " + ECHO + " 1");
                if (i >= 0) {
                    put[i] = put1;
                    cut[i] = cut1;
                }
            }
            return Measure.Figure.atMost(median(cut), "ms", 100).noting(String.format(Locale.ROOT, "slowest %.1f; the PUT itself %.1f; new connections were refused from its answer on", cut[rounds - 1], median(put)));
        }
    }
}
