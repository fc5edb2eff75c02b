package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.Json;
import dev.caisson.client.NodeStatus;
import dev.caisson.client.Standing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `caisson status`: what runs, and how it is.
@Command(name = "status", description = "Shows the installation's processes and figures. Ends with 1 when it cannot make sandboxes.", footerHeading = "%nExamples:%n", footer = {"  caisson status", "  caisson status --json"})
final class StatusCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print one JSON object.")
    boolean json;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    /// One process of the installation.
    ///
    /// @param resident bytes
    record Running(String name, long pid, long resident, Duration age) {
        static Optional<Running> of(Installation installation, String name) {
            return installation.process(name).map(process -> new Running(
                    name, process.pid(), StatusCommand.resident(process.pid()), process.info().startInstant().map(start -> Duration.between(start, Instant.now())).orElse(Duration.ZERO)));
        }
    }

    /// Resident memory of a process; 0 when it is gone. Unit: bytes.
    static long resident(long pid) {
        try {
            return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream().filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024).findFirst().orElse(0);
        } catch (IOException _) {
            return 0;
        }
    }

    @Override
    public Integer call() {
        var installation = Installation.ofEnvironment();
        var running = Installation.PROCESSES.stream().flatMap(name -> Running.of(installation, name).stream()).toList();
        @Nullable NodeStatus node = null;
        String url = "";
        Optional<CaissonException> wrong = Optional.empty();
        try (var session = Session.open()) {
            url = session.caisson().url();
            node = session.caisson().status();
        } catch (CaissonException e) {
            // An address that a command line left which was killed leads nowhere.
            wrong = Optional.of(running.isEmpty() && !Session.isRemote()
                    ? new CaissonException("not-running", 0, "no Caisson is running in " + installation.home(), "start it with `caisson up`, or set CAISSON_URL and CAISSON_KEY", e)
                    : e);
        }
        if (json) {
            Console.out().println(object(installation, running, node, url, wrong).pretty());
        } else {
            print(running, node, url);
            wrong.ifPresent(e -> Console.failure(e.message(), e.remedy()));
        }
        return node == null ? 1 : 0;
    }

    private static Json.Obj object(Installation installation, List<Running> running, @Nullable NodeStatus node, String url, Optional<CaissonException> wrong) {
        var object = Json.object().put("home", installation.home().toString()).put("up", node != null);
        if (!url.isEmpty()) {
            object.put("url", url);
        }
        object.put("processes", Json.array(running.stream().map(each -> Json.object().put("name", each.name()).put("pid", each.pid()).put("resident_memory_bytes", each.resident())
                .put("age_seconds", each.age().toSeconds()).done()).toList()));
        if (node != null) {
            object.put("node", node.json());
        }
        wrong.ifPresent(e -> object.put("problem", Json.object().put("code", e.code()).put("detail", e.message()).put("remedy", e.remedy()).done()));
        return object.done();
    }

    private static void print(List<Running> running, @Nullable NodeStatus node, String url) {
        if (node != null) {
            Console.out().println(url + ", " + node.alive() + " alive, " + (node.standingBy() > 0 ? node.standingBy() + " standing by, " : "") + node.created() + " created, " + node.failed() + " failed, " + node.leaked() + " leaked, tiers: "
                    + Wall.all(node));
            node.policy().flatMap(Standing::unmet).ifPresent(unmet -> Console.failure("untrusted code is refused: " + unmet.message(), unmet.remedy()));
        }
        if (!running.isEmpty()) {
            var rows = new ArrayList<List<String>>();
            running.forEach(each -> rows.add(List.of(each.name(), Long.toString(each.pid()), Amounts.shown(each.resident()), Amounts.shown(each.age()))));
            rows.add(List.of("together", "", Amounts.shown(running.stream().mapToLong(Running::resident).sum()), ""));
            Console.table(List.of("PROCESS", "PID", "MEMORY", "UP"), rows);
        }
    }
}
