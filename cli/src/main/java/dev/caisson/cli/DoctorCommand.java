package dev.caisson.cli;

import dev.caisson.client.Json;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `caisson doctor`: what this machine can and cannot promise.
@Command(name = "doctor", description = "Says what this machine can and cannot promise, and what to do about it. Changes nothing. Ends with 1 when untrusted code cannot be run here.")
final class DoctorCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print one JSON object.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        var findings = new Machine(Installation.ofEnvironment()).examine();
        boolean fit = findings.stream().noneMatch(each -> each.verdict() == Machine.Verdict.NO);
        if (json) {
            Console.out().println(Json.object().put("fit", fit).put("findings", Json.array(findings.stream().map(each -> Json.object()
                    .put("name", each.name()).put("verdict", each.verdict().label()).put("found", each.found()).put("remedy", each.remedy()).done()).toList())).done().pretty());
            return fit ? 0 : 1;
        }
        int width = findings.stream().mapToInt(each -> each.name().length()).max().orElse(0);
        for (var each : findings) {
            String mark = switch (each.verdict()) {
                case YES -> Console.paint(1, "32", "yes ");
                case LESS -> Console.paint(1, "33", "less");
                case NO -> Console.paint(1, "31", "no  ");
            };
            Console.out().println(mark + "  " + each.name() + " ".repeat(width - each.name().length()) + "  " + each.found() + (each.remedy().isEmpty() ? "" : " -> " + each.remedy()));
        }
        Console.out().println(fit ? "Untrusted code can be run here" + limits(findings) + "." : "Untrusted code cannot be run here yet: see the lines that say no.");
        return fit ? 0 : 1;
    }

    private static String limits(List<Machine.Finding> findings) {
        String less = findings.stream().filter(each -> each.verdict() == Machine.Verdict.LESS).map(Machine.Finding::name).collect(Collectors.joining(", "));
        return less.isEmpty() ? "" : ", with less than could be: " + less;
    }
}
