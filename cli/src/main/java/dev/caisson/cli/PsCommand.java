package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.SandboxInfo;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `caisson ps`: the living sandboxes.
@Command(name = "ps", description = "Lists the living sandboxes, oldest first.", footerHeading = "%nExamples:%n", footer = {"  caisson ps", "  caisson ps -q | xargs -n1 caisson kill"})
final class PsCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print one JSON array.")
    boolean json;

    @Option(names = {"-q", "--quiet"}, description = "Print their ids only.")
    boolean quiet;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        try (var session = Session.open()) {
            var all = session.caisson().list();
            if (json) {
                Console.out().println(Json.array(all.stream().map(SandboxInfo::json).toList()).pretty());
            } else if (quiet) {
                all.forEach(each -> Console.out().println(each.id()));
            } else {
                var now = Instant.now();
                Console.table(List.of("SANDBOX", "STATE", "TENANT", "TIER", "TRUST", "TEMPLATE", "AGE", "ENDS IN"), all.stream().map(each -> List.of(
                        each.id(), each.state(), each.tenant(), Wall.of(each), each.trust().label(), each.template(), Amounts.shown(positive(Duration.between(each.created(), now))),
                        Amounts.shown(positive(Duration.between(now, each.expires()))))).toList());
            }
        }
        return 0;
    }

    private static Duration positive(Duration time) {
        return time.isNegative() ? Duration.ZERO : time;
    }
}
