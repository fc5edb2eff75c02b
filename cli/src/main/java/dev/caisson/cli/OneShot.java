package dev.caisson.cli;

import dev.caisson.client.Caisson;
import dev.caisson.client.CaissonException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The installation's processes for as long as any command line that needs them is there, when nobody said `caisson up`.
///
/// The processes' standard input is a named pipe whose writing end each command line holds open: when the last one has gone, killed or not, the
/// kernel ends that input and with it the processes. Joining and leaving happen under one lock (`run/start.lock`), so that nobody joins what is about to end: each
/// holds a shared lock on `run/users.lock`, and whoever leaves and gets it alone takes the address away first.
/// Threads: one.
final class OneShot implements AutoCloseable {
    /// How the front listens when nobody has said.
    private static final List<String> LISTENING = List.of("--domain", "preview.localhost", "--tls-listen", "off");

    private static final Duration ENDED_WITHIN = Duration.ofSeconds(20);

    private final Installation installation;
    private final FileChannel users;
    private final RandomAccessFile pipe;
    private boolean left;

    private OneShot(Installation installation, FileChannel users, RandomAccessFile pipe) {
        this.installation = installation;
        this.users = users;
        this.pipe = pipe;
    }

    /// How the processes are told to behave.
    ///
    /// @param acceptsEmulated an emulated microVM counts as one
    /// @param standbys machines made ahead of each kind; 0 where only one sandbox will be made
    static Launch.Listening listening(boolean acceptsEmulated, int standbys) {
        var front = acceptsEmulated ? Stream.concat(LISTENING.stream(), Stream.of("--accept-emulated", "yes")).toList() : LISTENING;
        return new Launch.Listening("127.0.0.1:0", front, List.of("--standby", Integer.toString(standbys)));
    }

    /// Takes part in the processes that run for other command lines, or starts them.
    static OneShot join(Installation installation, Launch.Listening listening) {
        Launch.ensureUsers();
        installation.prepare();
        try (var mutex = open(installation.run().resolve("start.lock")); var _ = mutex.lock()) {
            var users = open(installation.run().resolve("users.lock"));
            try {
                var _ = users.lock(0, Long.MAX_VALUE, true);
                if (answers(installation)) {
                    return new OneShot(installation, users, new RandomAccessFile(pipe(installation).toFile(), "rw"));
                }
                return new OneShot(installation, users, start(installation, listening));
            } catch (IOException | RuntimeException e) {
                users.close();
                throw e;
            }
        } catch (IOException e) {
            throw new CliException("cannot start Caisson in " + installation.home() + ": " + e.getMessage(), "free some space, or name another place with CAISSON_HOME", e);
        }
    }

    private static Path pipe(Installation installation) {
        return installation.run().resolve("tie");
    }

    private static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static boolean answers(Installation installation) {
        if (!Files.exists(installation.url()) || !Files.exists(pipe(installation))) {
            return false;
        }
        try (Caisson caisson = installation.connect()) {
            caisson.checkHealth();
            return true;
        } catch (CaissonException _) {
            return false;
        }
    }

    private static RandomAccessFile start(Installation installation, Launch.Listening listening) throws IOException {
        installation.forget();
        awaitEnded(installation);
        clear(installation);
        var tie = pipe(installation);
        run("mkfifo", "-m", "600", tie.toString());
        // Both ways, because opening a pipe for writing waits for a reader; the processes open it for reading.
        var pipe = new RandomAccessFile(tie.toFile(), "rw");
        try {
            var launch = new Launch(installation, listening, true);
            Installation.writePrivate(installation.key(), launch.key() + "\n");
            var started = new HashMap<String, Process>();
            var logStarts = new HashMap<String, Long>();
            for (String process : Installation.PROCESSES) {
                launch.freshOutput(process);
                var log = installation.log(process);
                logStarts.put(process, Files.exists(log) ? Files.size(log) : 0L);
                var one = new ProcessBuilder(launch.command(process))
                        .directory(installation.home().toFile())
                        .redirectInput(tie.toFile())
                        .redirectOutput(installation.output(process).toFile())
                        .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                        .start();
                started.put(process, one);
                Files.writeString(installation.run().resolve(process + ".pid"), one.pid() + "\n");
            }
            String said = "";
            for (String process : Installation.PROCESSES) {
                said = launch.awaitReady(process, required(started.get(process)), logStarts.getOrDefault(process, 0L));
            }
            var front = Launch.Front.of(said);
            if (!front.key().isEmpty()) {
                // Made just now and shown once; nobody is looking now, so the next `caisson up` shows it.
                Installation.writePrivate(installation.run().resolve("new.key"), front.key() + "\n");
            }
            Installation.writePrivate(installation.url(), front.url() + "\n");
            return pipe;
        } catch (IOException | RuntimeException e) {
            pipe.close();
            awaitEnded(installation);
            clear(installation);
            throw e;
        }
    }

    /// Removes what a start makes in `run/`; the locks stay.
    private static void clear(Installation installation) throws IOException {
        installation.forget();
        Files.deleteIfExists(pipe(installation));
        Files.deleteIfExists(installation.gatewaySocket());
        for (String process : Installation.PROCESSES) {
            Files.deleteIfExists(installation.run().resolve(process + ".pid"));
            Files.deleteIfExists(installation.output(process));
        }
    }

    private static <T> T required(@Nullable T value) {
        if (value == null) {
            throw new IllegalStateException("a process that was started is missing");
        }
        return value;
    }

    private static void run(String... command) throws IOException {
        var process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException(String.join(" ", command) + " failed");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /// Waits until the processes of a start before this one are gone; the store and the sockets are theirs until then.
    private static void awaitEnded(Installation installation) {
        long deadline = System.nanoTime() + ENDED_WITHIN.toNanos();
        for (String name : Installation.PROCESSES) {
            var process = installation.process(name);
            while (process.isPresent() && process.get().isAlive()) {
                if (System.nanoTime() > deadline) {
                    throw new CliException(
                            "the " + name + " of an earlier run (process " + process.get().pid() + ") does not end", "end it with: kill -9 " + process.get().pid());
                }
                pause();
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(5);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CliException("interrupted", "try again", e);
        }
    }

    /// Leaves; the last one out ends the processes and waits until they are gone.
    @Override
    public void close() {
        if (left) {
            return;
        }
        left = true;
        try (var mutex = open(installation.run().resolve("start.lock")); FileLock _ = mutex.lock()) {
            users.close();
            boolean last;
            try (var alone = open(installation.run().resolve("users.lock"))) {
                var lock = alone.tryLock();
                last = lock != null;
                if (last) {
                    installation.forget();
                    Files.deleteIfExists(pipe(installation));
                }
                pipe.close();
            }
            if (last) {
                awaitEnded(installation);
                clear(installation);
            }
        } catch (IOException e) {
            throw new CliException("cannot end the processes of this run: " + e.getMessage(), "see `caisson status`", e);
        }
    }
}
