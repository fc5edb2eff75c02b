package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.Receipt;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `caisson kill`: ends sandboxes.
@Command(name = "kill", description = "Ends sandboxes at once, and waits until nothing of them is left.", footerHeading = "%nExample:%n", footer = "  caisson kill sbabcdefghijklmnopqr")
final class KillCommand implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "ID", description = "Their ids, as `caisson ps` shows them.")
    List<String> ids = List.of();

    @Option(names = "--json", description = "Print their receipts as one JSON array.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        var receipts = new ArrayList<Receipt>();
        try (var session = Session.open()) {
            for (String id : ids) {
                var receipt = session.caisson().delete(id);
                receipts.add(receipt);
                if (!json) {
                    Console.out().println(ReceiptCommand.line(receipt));
                }
            }
        }
        if (json) {
            Console.out().println(Json.array(receipts.stream().map(Receipt::json).toList()).pretty());
        }
        return receipts.stream().allMatch(receipt -> receipt.leaks() == 0) ? 0 : 1;
    }
}
