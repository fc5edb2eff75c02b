package dev.caisson.cli;

import dev.caisson.client.Json;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `caisson url`: where a port of a sandbox is found.
@Command(
        name = "url",
        description = "Prints a link to a port of a sandbox that anybody may use until it expires. The server inside may listen on 127.0.0.1.",
        footerHeading = "%nExamples:%n",
        footer = {"  caisson url sbxxxxxxxxxxxxxxxxxx 3000", "  caisson url sbxxxxxxxxxxxxxxxxxx 3000 --expires 10m"})
final class UrlCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "ID", description = "The sandbox, as `caisson ps` shows it.")
    String id = "";

    @Parameters(index = "1", paramLabel = "PORT", description = "1 to 65535.")
    int port;

    @Option(names = "--expires", paramLabel = "TIME", description = "How long it is good for, up to 24h. Default: ${DEFAULT-VALUE}.", defaultValue = "1h", converter = Amounts.Time.class)
    Duration expires = Duration.ofHours(1);

    @Option(names = "--json", description = "Print {\"url\": ..., \"expires_at\": ...}.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        try (var session = Session.open()) {
            var link = session.caisson().sandbox(id).link(port, expires);
            Console.out().println(json ? Json.object().put("url", link.url().toString()).put("expires_at", link.expires().toString()).done().write() : link.url().toString());
        }
        return 0;
    }
}
