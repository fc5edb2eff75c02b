package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.Flow;
import dev.caisson.client.Json;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `caisson egress`: what a sandbox has tried to reach, and what it may.
@Command(
        name = "egress",
        description = {
            "Shows what a sandbox has tried to reach outside, oldest first; also of one that has ended.",
            "",
            "With --allow, --deny, --egress-preset, --egress-rules or --mode it changes what a running one may reach: they replace what was asked for before. "
                    + "In force at once; open connections that are no longer allowed are cut.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  caisson egress sbxxxxxxxxxxxxxxxxxx --follow",
            "  caisson egress sbxxxxxxxxxxxxxxxxxx --allow '*.example.com' --allow db.example.com:5432/tcp",
            "  caisson egress sbxxxxxxxxxxxxxxxxxx --mode none",
        })
final class EgressCommand implements Callable<Integer> {
    private static final long POLL_MS = 500;

    @Parameters(index = "0", paramLabel = "ID", description = "The sandbox, as `caisson ps` shows it.")
    String id = "";

    @Mixin
    EgressWishes wishes = new EgressWishes();

    @Option(names = "--mode", paramLabel = "none|list|open", description = "For what no rule speaks of: nothing leaves, only what a rule allows, or the public internet (needs `caisson up --egress-open`).")
    String mode = "";

    @Option(names = "--rules", description = "Show what it may reach instead, by layers: all of them have to allow.")
    boolean rules;

    @Option(names = {"-f", "--follow"}, description = "Go on with what comes, until the sandbox has ended.")
    boolean follow;

    @Option(names = "--json", description = "Print JSON: one attempt a line; with --rules or a change, one object.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() throws InterruptedException {
        var change = wishes.read("--mode", mode);
        if ((change.isPresent() || rules) && follow) {
            throw new CliException("--follow together with rules", "change them first, then follow");
        }
        try (var session = rules || change.isPresent() || follow ? Session.open() : Session.openOrStart()) {
            if (change.isPresent() || rules) {
                var sandbox = session.caisson().sandbox(id);
                var now = change.isPresent() ? sandbox.setEgress(change.get()) : sandbox.egress();
                print(now.json());
            } else if (follow) {
                follow(session);
            } else {
                print(FlowLog.after(session.caisson(), id, 0));
            }
        }
        return 0;
    }

    private void print(Json.Obj egress) {
        Console.out().println(json ? egress.write() : egress.pretty());
    }

    private void print(List<Flow> flows) {
        if (json) {
            flows.forEach(flow -> Console.out().println(flow.json().write()));
        } else {
            Console.table(FlowLog.HEADINGS, flows.stream().map(FlowLog::row).toList());
        }
    }

    private void follow(Session session) throws InterruptedException {
        long last = 0;
        boolean alive = true;
        while (true) {
            for (var flow : FlowLog.after(session.caisson(), id, last)) {
                Console.out().println(json ? flow.json().write() : String.join("  ", FlowLog.row(flow)));
                last = flow.number();
            }
            if (!alive) {
                return;
            }
            Thread.sleep(POLL_MS);
            // Asked before its flows: what it did last is still shown.
            alive = isAlive(session);
        }
    }

    private boolean isAlive(Session session) {
        try {
            session.caisson().sandbox(id);
            return true;
        } catch (CaissonException e) {
            if (e.code().equals("sandbox-not-found")) {
                return false;
            }
            throw e;
        }
    }
}
