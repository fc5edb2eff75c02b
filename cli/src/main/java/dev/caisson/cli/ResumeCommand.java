package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.SandboxInfo;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `caisson resume`: lets paused sandboxes go on.
@Command(name = "resume", description = "Lets paused sandboxes go on.", footerHeading = "%nExample:%n", footer = "  caisson resume --lease 1h sbabcdefghijklmnopqr")
final class ResumeCommand implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "ID", description = "Their ids, as `caisson ps` shows them.")
    List<String> ids = List.of();

    @Option(names = "--lease", paramLabel = "DURATION", converter = Amounts.Time.class, description = "How long they may live from now: 90s, 5m, 1h. Default: 5m.")
    Duration lease = Duration.ofMinutes(5);

    @Option(names = "--json", description = "Print them as one JSON array.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        var resumed = new ArrayList<SandboxInfo>();
        try (var session = Session.open()) {
            for (String id : ids) {
                var info = session.caisson().resume(id, lease);
                resumed.add(info);
                if (!json) {
                    Console.out().println(info.id() + " runs until " + info.expires());
                }
            }
        }
        if (json) {
            Console.out().println(Json.array(resumed.stream().map(SandboxInfo::json).toList()).pretty());
        }
        return 0;
    }
}
