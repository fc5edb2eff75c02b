package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `caisson down`: deletes the sandboxes and ends the processes.
@Command(name = "down", description = "Deletes every sandbox, then ends the installation's processes.", footerHeading = "%nExamples:%n", footer = {"  caisson down", "  caisson down --keep && caisson up -d    a restart that sandboxes survive"})
final class DownCommand implements Callable<Integer> {
    @Option(names = "--keep", description = "Leave sandboxes alive, for a node that comes back within their grace time.")
    boolean keep;

    @Option(names = {"-q", "--quiet"}, description = "Say nothing unless something fails.")
    boolean quiet;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() {
        var installation = Installation.ofEnvironment();
        boolean any = Installation.PROCESSES.stream().anyMatch(name -> installation.keeper(name).isPresent() || installation.process(name).isPresent());
        if (!any) {
            throw new CliException("nothing is running in " + installation.home(), "start it with `caisson up`");
        }
        if (!Installation.isRoot()) {
            throw new CliException("this needs root: the processes are root's", "run it with sudo");
        }
        return end(new Supervision(installation), keep, quiet) ? 0 : Main.FAILED;
    }

    /// True when every sandbox was deleted, or none was to be.
    static boolean end(Supervision supervision, boolean keep, boolean quiet) {
        boolean clean = true;
        if (!keep) {
            try {
                int count = supervision.deleteAll();
                if (!quiet && count > 0) {
                    Console.remark("deleted " + count + (count == 1 ? " sandbox" : " sandboxes"));
                }
            } catch (CaissonException e) {
                clean = false;
                Console.failure("sandboxes may be left: " + e.message(), "they end with their leases, or at the next `caisson up`");
            }
        }
        supervision.end();
        return clean;
    }
}
