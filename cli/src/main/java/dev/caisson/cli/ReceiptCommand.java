package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.Receipt;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `caisson receipt`: what ended sandboxes left behind.
@Command(
        name = "receipt", description = "Shows the receipt of an ended sandbox: why it ended, what it used, and every resource it held, checked to be gone. Without an ID, the newest ones.",
        footerHeading = "%nExamples:%n", footer = {"  caisson receipt sbabcdefghijklmnopqr", "  caisson receipt --json"})
final class ReceiptCommand implements Callable<Integer> {
    private static final int NEWEST = 20;

    @Parameters(arity = "0..1", paramLabel = "ID", description = "The sandbox's id.")
    String id = "";

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        try (var session = Session.openOrStart()) {
            if (id.isEmpty()) {
                var newest = session.caisson().receipts(NEWEST);
                if (json) {
                    Console.out().println(Json.array(newest.stream().map(Receipt::json).toList()).pretty());
                } else {
                    newest.forEach(receipt -> Console.out().println(line(receipt)));
                }
                return 0;
            }
            var receipt = session.caisson().receipt(id);
            if (json) {
                Console.out().println(receipt.json().pretty());
            } else {
                print(receipt);
            }
            return receipt.leaks() == 0 ? 0 : 1;
        }
    }

    /// A receipt on one line.
    static String line(Receipt receipt) {
        return receipt.id() + "  " + Wall.of(receipt) + "  " + receipt.reason() + " by " + receipt.by() + "  lived " + Amounts.shown(Duration.between(receipt.created(), receipt.ended()))
                + "  peak " + Amounts.shown(receipt.usage().peakMemory()) + "  CPU " + Amounts.shown(receipt.usage().cpu()) + "  leaks " + receipt.leaks();
    }

    private static void print(Receipt receipt) {
        var out = Console.out();
        out.println(line(receipt));
        out.println("template " + receipt.template() + " (" + receipt.json().text("image_digest", "") + "), trust " + receipt.trust().label());
        out.println("from " + receipt.created() + " to " + receipt.ended());
        receipt.denied().forEach((what, count) -> out.println("denied " + what + " " + count));
        receipt.resources().forEach(each -> out.println(
                (each.gone() ? Console.paint(1, "32", "gone   ") : Console.paint(1, "31", "STAYED ")) + each.kind() + " " + each.name() + (each.gone() ? "" : ": " + each.detail())));
    }
}
