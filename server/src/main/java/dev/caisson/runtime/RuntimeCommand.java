package dev.caisson.runtime;

import dev.caisson.host.Child;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Stage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Runs an OCI runtime's command line inside a sandbox's cgroup.
///
/// The runtime's standard streams become the first process' own: they lead to a null device that is the sandbox's own, since guests could fill a file
/// and change /dev/null. What the runtime has to say goes to a log file.
///
/// @param nothing a [dev.caisson.host.NullDevice]
/// @param log the file given to the runtime's own log option
/// @param stage what is mounted for it alone; null: it sees the machine's mounts
public record RuntimeCommand(List<String> argv, List<Path> cgroupFiles, Path nothing, Path log, @Nullable Stage stage) {
    private static final Map<String, String> ENV = Map.of("PATH", HostFacts.PATH);
    // A start takes about 0.1 s; on a machine with 100 starts under way still only seconds.
    private static final Duration BOUND = Duration.ofSeconds(60);

    /// Runs it to its end.
    ///
    /// Errors: an [IOException] with the runtime's last words.
    public void run() throws IOException, InterruptedException {
        var exit = new Child(argv, ENV, nothing, nothing, cgroupFiles, stage).run(BOUND);
        if (!exit.ok()) {
            var words = Child.tail(log);
            throw new IOException(Path.of(argv.getFirst()).getFileName() + " ended with status " + exit.status() + ": "
                    + (words.isEmpty() ? "no words; could it join its cgroup?" : words));
        }
    }
}
