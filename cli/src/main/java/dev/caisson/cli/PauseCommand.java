package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.SandboxInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `caisson pause`: freezes sandboxes.
@Command(
        name = "pause", description = "Freezes sandboxes: nothing in them runs, memory and disk stay, their leases stand still.", footerHeading = "%nExample:%n",
        footer = "  caisson pause sbabcdefghijklmnopqr")
final class PauseCommand implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "ID", description = "Their ids, as `caisson ps` shows them.")
    List<String> ids = List.of();

    @Option(names = "--json", description = "Print them as one JSON array.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        var paused = new ArrayList<SandboxInfo>();
        try (var session = Session.open()) {
            for (String id : ids) {
                var info = session.caisson().pause(id);
                paused.add(info);
                if (!json) {
                    Console.out().println(info.id() + " paused, is deleted at " + info.expires() + " unless it is resumed");
                }
            }
        }
        if (json) {
            Console.out().println(Json.array(paused.stream().map(SandboxInfo::json).toList()).pretty());
        }
        return 0;
    }
}
