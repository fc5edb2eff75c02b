package dev.caisson.cli;

import dev.caisson.client.Json;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `caisson bench`: measures the promises on this machine, beside the bare thing where there is one.
@Command(name = "bench", description = "Measures the promises on this machine, beside the bare thing in the same run. Without a NAME, all of them.", footerHeading = "%nExamples:%n", footer = {"  caisson bench", "  caisson bench command-round-trip --json"})
final class BenchCommand implements Callable<Integer> {
    @Parameters(arity = "0..*", paramLabel = "NAME", description = "Measures to take; `caisson bench --list` names them.")
    List<String> names = List.of();

    @Option(names = "--list", description = "Name the measures and what each says.")
    boolean list;

    @Option(names = "--json", description = "Print one JSON object a measure, on a line of its own.")
    boolean json;

    @Option(names = "--rounds", paramLabel = "N", description = "How often each thing is done. Default: each measure's own.")
    int rounds;

    @Option(names = "--accept-emulated", description = "Measure microVMs that are only emulated too.")
    boolean acceptEmulated;

    @Option(names = "--standby", paramLabel = "COUNT", defaultValue = UpCommand.STANDBYS, description = "Machines made ahead, as of `caisson up`; it is for what is started here. 0 measures microVMs that are made when they are asked for. Default: ${DEFAULT-VALUE}.")
    int standby;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() throws Exception {
        if (list) {
            Measures.ALL.forEach(each -> Console.out().println(each.name() + " ".repeat(Math.max(1, 24 - each.name().length())) + each.meaning()));
            return 0;
        }
        for (String name : names) {
            if (Measures.ALL.stream().noneMatch(each -> each.name().equals(name))) {
                throw new CliException("there is no measure '" + name + "'", "name one of: " + String.join(", ", Measures.ALL.stream().map(Measure::name).toList()));
            }
        }
        boolean met = true;
        var installation = Installation.ofEnvironment();
        try (var session = Session.openOrStart(OneShot.listening(acceptEmulated, UpCommand.standbys(standby))); var lab = new EgressLab(installation, rounds)) {
            var bench = new Bench(session, installation, rounds, lab);
            for (var measure : Measures.ALL) {
                if (names.isEmpty() || names.contains(measure.name())) {
                    met &= take(measure, bench);
                }
            }
        }
        return met ? 0 : 1;
    }

    /// False when its promise is not kept. One that cannot be taken here keeps none and breaks none.
    private boolean take(Measure measure, Bench bench) throws Exception {
        try {
            var figure = measure.taking().take(bench);
            Console.out().println(json ? figure.json(measure.name()).write() : figure.line(measure.name()));
            return figure.met();
        } catch (SkippedException e) {
            Console.out().println(json ? Json.object().put("name", measure.name()).put("skipped", String.valueOf(e.getMessage())).done().write() : measure.name() + ": skipped, " + e.getMessage());
            return true;
        }
    }
}
