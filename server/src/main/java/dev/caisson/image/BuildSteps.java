package dev.caisson.image;

import dev.caisson.host.Child;
import dev.caisson.host.HostFacts;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/// Runs the programs of one build, telling each one's name, how far it is, and how long it took.
///
/// Each runs in mount and process namespaces of its own and dies with us, so a build that is killed leaves neither mounts nor processes.
final class BuildSteps {
    private static final Duration TIME_LIMIT = Duration.ofMinutes(30);
    private static final Duration TELL_EVERY = Duration.ofSeconds(5);
    /// The death signal comes when the thread that started the program ends: it is started from a platform thread that waits for it.
    private static final List<String> TIED = List.of(
            "setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--");

    private final String title;
    private final Map<String, String> env;
    private final Path log;
    private final Consumer<String> progress;

    BuildSteps(Recipe recipe, Path scratch, Path log, Consumer<String> progress) {
        this.title = "template " + recipe.name() + ": ";
        this.env = Map.of(
                "PATH", HostFacts.PATH, "LC_ALL", "C.UTF-8", "HOME", "/root", "TMPDIR", scratch.toString(), "DEBIAN_FRONTEND", "noninteractive",
                "SUITE", recipe.suite(), "SOURCE_DATE_EPOCH", Long.toString(recipe.time().getEpochSecond()));
        this.log = log;
        this.progress = progress;
    }

    /// Errors: an [IOException] with the step's name and the program's last words.
    void run(String name, List<String> program) throws IOException, InterruptedException {
        long start = System.nanoTime();
        var argv = new ArrayList<>(TIED);
        argv.addAll(program);
        var task = new FutureTask<>(() -> new Child(argv, env, log, List.of()).run(TIME_LIMIT));
        Thread.ofPlatform().name("image-build").daemon().start(task);
        try {
            var exit = follow(name, task);
            if (!exit.ok()) {
                throw new IOException("'" + name + "' failed with status " + exit.status() + ": " + lastLine(exit.tail()));
            }
        } finally {
            task.cancel(true);
        }
        progress.accept(title + name + " done (" + seconds(start) + ")");
    }

    private Child.Exit follow(String name, FutureTask<Child.Exit> task) throws IOException, InterruptedException {
        long start = System.nanoTime();
        var apt = new AptProgress(log);
        while (true) {
            try {
                return task.get(TELL_EVERY.toMillis(), TimeUnit.MILLISECONDS);
            } catch (TimeoutException _) {
                apt.news().ifPresent(news -> progress.accept(title + name + ": " + news + " (" + seconds(start) + ")"));
            } catch (ExecutionException e) {
                if (e.getCause() instanceof IOException io) {
                    throw io;
                }
                throw new IllegalStateException(name, e.getCause());
            }
        }
    }

    private static String seconds(long start) {
        return (System.nanoTime() - start) / 100_000_000 / 10.0 + " s";
    }

    /// The line that says it best: apt and mmdebstrap start theirs with `E:`; otherwise the last one.
    private static String lastLine(String tail) {
        var lines = tail.lines().filter(line -> !line.isBlank()).toList();
        return lines.stream().filter(line -> line.startsWith("E: ")).findFirst().orElse(lines.isEmpty() ? "it said nothing" : lines.getLast());
    }
}
