package dev.caisson.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `caisson mcp`: the MCP door over standard input and output.
@Command(
        name = "mcp",
        description = {
            "Speaks the Model Context Protocol over standard input and output, for programs that start their servers themselves.",
            "",
            "What comes in is handed to the installation's /mcp, so both ways have the same tools. Uses the installation that runs, or the one that CAISSON_URL and CAISSON_KEY name; "
                    + "without one it starts what it needs, and ends it, with the sandboxes made, when its input ends.",
        },
        footerHeading = "%nExample, the configuration of a client:%n",
        footer = {"  {\"mcpServers\": {\"caisson\": {\"command\": \"caisson\", \"args\": [\"mcp\"]}}}"})
final class McpCommand implements Callable<Integer> {
    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() throws InterruptedException {
        try (var session = Session.openOrStart(); var bridge = new McpBridge(session.address(), System.in, Console.out())) {
            // A client ends its servers by closing their input, or by a signal.
            Interrupts.handleEnd(bridge::end);
            Thread.ofPlatform().name("stdin").daemon().start(bridge::run);
            bridge.awaitEnd();
        }
        return 0;
    }
}
