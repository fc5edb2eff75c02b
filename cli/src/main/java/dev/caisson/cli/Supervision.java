package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.SandboxInfo;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

/// Starts the processes of `caisson up`, each under a keeper that starts it again when it dies, and ends them.
///
/// A keeper is a shell of 1 MB (`keep.sh`), so that with --detach nothing of ours stays but the four processes.
final class Supervision {
    private static final Duration END_WITHIN = Duration.ofSeconds(15);
    private static final int DELETES_AT_ONCE = 8;

    private final Installation installation;

    Supervision(Installation installation) {
        this.installation = installation;
    }

    /// @param key for people; empty unless it is new
    /// @param domain of previews; may be empty
    /// @param authority file of the certificate that their clients have to trust; empty when there is nothing to do
    record Started(String url, String key, String domain, String authority, List<Process> keepers) {}

    /// @param tied the processes end when this process does, however it ends
    Started start(Launch.Listening listening, boolean tied) {
        try (var mutex = FileChannel.open(installation.run().resolve("start.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                var _ = mutex.lock();
                var users = FileChannel.open(installation.run().resolve("users.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (users.tryLock() == null) {
                throw new CliException("a `caisson run` of its own is using " + installation.home(), "wait until it has ended, then start again");
            }
            return startAlone(listening, tied);
        } catch (IOException | OverlappingFileLockException e) {
            throw new CliException("cannot start Caisson in " + installation.home() + ": " + e.getMessage(), "free some space, or name another place with CAISSON_HOME", e);
        }
    }

    private Started startAlone(Launch.Listening listening, boolean tied) throws IOException {
        for (String name : Installation.PROCESSES) {
            installation.process(name).ifPresent(process -> {
                throw new CliException("the " + name + " of " + installation.home() + " runs already (process " + process.pid() + ")", "end it with `caisson down`");
            });
        }
        installation.forget();
        var launch = new Launch(installation, listening.concrete(), tied);
        var keepers = new ArrayList<Process>();
        var logStarts = new HashMap<String, Long>();
        try {
            Installation.writePrivate(installation.key(), launch.key() + "\n");
            var script = keeperScript();
            for (String name : Installation.PROCESSES) {
                var log = installation.log(name);
                logStarts.put(name, Files.exists(log) ? Files.size(log) : 0L);
                launch.freshOutput(name);
                var line = new ArrayList<>(List.of("setsid", "sh", script.toString(), name, installation.run().toString(), installation.log().toString()));
                line.addAll(launch.command(name));
                keepers.add(new ProcessBuilder(line)
                        .directory(installation.home().toFile())
                        .redirectInput(tied ? ProcessBuilder.Redirect.PIPE : ProcessBuilder.Redirect.from(new java.io.File("/dev/null")))
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                        .start());
            }
            String said = "";
            for (int i = 0; i < keepers.size(); i++) {
                String name = Installation.PROCESSES.get(i);
                said = launch.awaitReady(name, keepers.get(i), logStarts.getOrDefault(name, 0L));
            }
            var front = Launch.Front.of(said);
            Installation.writePrivate(installation.url(), front.url() + "\n");
            return new Started(front.url(), newKey(front.key()), front.domain(), authority(front), keepers);
        } catch (IOException | RuntimeException e) {
            end();
            throw e;
        }
    }

    private Path keeperScript() throws IOException {
        var script = installation.run().resolve("keep.sh");
        try (var resource = Supervision.class.getResourceAsStream("keep.sh")) {
            if (resource == null) {
                throw new IllegalStateException("keep.sh is missing from the jar");
            }
            Files.write(script, resource.readAllBytes());
        }
        return script;
    }

    /// Puts the certificate where everybody may read it; only what the front has said goes into it.
    private String authority(Launch.Front front) throws IOException {
        if (front.authority().isEmpty()) {
            return "";
        }
        var file = installation.home().resolve("ca.pem");
        Installation.writePrivate(file, front.authority());
        Files.setPosixFilePermissions(file, java.nio.file.attribute.PosixFilePermissions.fromString("rw-r--r--"));
        return file.toString();
    }

    /// The key that was made just now, or by a start at which nobody was looking.
    private String newKey(String justMade) throws IOException {
        var unseen = installation.run().resolve("new.key");
        if (!justMade.isEmpty() || !Files.exists(unseen)) {
            return justMade;
        }
        String key = Files.readString(unseen).strip();
        Files.delete(unseen);
        return key;
    }

    /// Deletes every sandbox, a few at a time. Answers how many; complains on standard error of those it could not.
    int deleteAll() {
        var deleted = new AtomicInteger();
        try (var caisson = installation.connect()) {
            var slots = new Semaphore(DELETES_AT_ONCE);
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                for (SandboxInfo sandbox : caisson.list()) {
                    threads.submit(() -> {
                        slots.acquireUninterruptibly();
                        try {
                            caisson.delete(sandbox.id());
                            deleted.incrementAndGet();
                        } catch (CaissonException e) {
                            Console.failure(sandbox.id() + " could not be deleted: " + e.message(), e.remedy());
                        } finally {
                            slots.release();
                        }
                    });
                }
            }
        }
        return deleted.get();
    }

    /// Ends the processes.
    void end() {
        for (String name : Installation.ENDING) {
            var process = installation.process(name);
            var keeper = installation.keeper(name);
            keeper.ifPresentOrElse(ProcessHandle::destroy, () -> process.ifPresent(ProcessHandle::destroy));
            process.ifPresent(Supervision::awaitOrKill);
            keeper.ifPresent(Supervision::awaitOrKill);
        }
        installation.forget();
        try {
            Files.deleteIfExists(installation.gatewaySocket());
            for (String name : Installation.PROCESSES) {
                for (String ending : List.of(".pid", ".out", ".keeper")) {
                    Files.deleteIfExists(installation.run().resolve(name + ending));
                }
            }
        } catch (IOException e) {
            throw new CliException("cannot remove what is left in " + installation.run() + ": " + e.getMessage(), "remove it", e);
        }
    }

    private static void awaitOrKill(ProcessHandle process) {
        long deadline = System.nanoTime() + END_WITHIN.toNanos();
        while (process.isAlive()) {
            if (System.nanoTime() > deadline) {
                process.destroyForcibly();
            }
            try {
                Thread.sleep(5);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /// Closes the ties of processes that are tied to this one; they end by themselves then, if they have not.
    static void untie(List<Process> keepers) {
        for (var keeper : keepers) {
            try (OutputStream tie = keeper.getOutputStream()) {
                tie.flush();
            } catch (IOException _) {
                // It has ended already.
            }
        }
    }
}
