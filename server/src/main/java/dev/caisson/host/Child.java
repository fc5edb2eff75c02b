package dev.caisson.host;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A program that we run: exactly these arguments and this environment, stdin from one file, stdout and stderr appended to another, none
/// of our descriptors.
///
/// @param argv the program's path and its arguments; never a shell's text
/// @param env the whole environment
/// @param input file that its stdin reads, usually /dev/null
/// @param output file that its stdout and stderr are appended to
/// @param cgroupFiles [Cgroups#joinFiles] of the cgroup that it is in before it runs; empty: ours
/// @param stage what is mounted for it alone; null: it sees the machine's mounts
public record Child(List<String> argv, Map<String, String> env, Path input, Path output, List<Path> cgroupFiles, @Nullable Stage stage) {
    /// Joins each cgroup named before `--`, then becomes the program after it. Constant text: data comes as arguments only.
    private static final String JOIN = "set -e; while [ \"$1\" != -- ]; do echo 0 > \"$1\"; shift; done; shift; exec \"$@\"";

    private static final int TAIL_BYTES = 4096;

    public Child {
        argv = List.copyOf(argv);
        env = Map.copyOf(env);
        cgroupFiles = List.copyOf(cgroupFiles);
    }

    public Child(List<String> argv, Map<String, String> env, Path output, List<Path> cgroupFiles) {
        this(argv, env, Path.of("/dev/null"), output, cgroupFiles, null);
    }

    /// A child in our own cgroup with a minimal environment.
    public static Child of(Path output, String... argv) {
        return new Child(List.of(argv), Map.of("PATH", HostFacts.PATH, "LC_ALL", "C.UTF-8"), output, List.of());
    }

    public Child inCgroup(List<Path> joinFiles) {
        return new Child(argv, env, input, output, joinFiles, stage);
    }

    /// How a child ended.
    ///
    /// @param status exit status; 128 + signal when a signal ended it
    /// @param tail the last 4 KiB of its output, for people
    public record Exit(int status, String tail) {
        public boolean ok() {
            return status == 0;
        }
    }

    /// Runs it to its end. Over the time it is killed with its descendants.
    ///
    /// Errors: an [IOException] when it cannot be started or is over its time.
    public Exit run(Duration timeout) throws IOException, InterruptedException {
        var ownMounts = stage;
        if (ownMounts == null) {
            return await(start(List.of()), timeout);
        }
        var namespaces = StagedNamespaces.of(ownMounts);
        try {
            return await(start(namespaces.entering()), timeout);
        } finally {
            namespaces.close();
        }
    }

    private Exit await(Process process, Duration timeout) throws IOException, InterruptedException {
        try {
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException(argv.getFirst() + " did not end within " + timeout.toMillis() + " ms: " + tail());
            }
            return new Exit(process.exitValue(), tail());
        } finally {
            if (process.isAlive()) {
                killAll(process);
            }
        }
    }

    /// Runs it to its end and demands status 0; anything else is an [IOException] with its last words.
    public void mustRun(Duration timeout) throws IOException, InterruptedException {
        var exit = run(timeout);
        if (!exit.ok()) {
            throw new IOException(argv.getFirst() + " ended with status " + exit.status() + ": " + exit.tail());
        }
    }

    /// Starts it and lets it go; somebody else ends it (its cgroup, or the handle's `destroyForcibly`). Not for a child with a stage.
    public Process start() throws IOException {
        if (stage != null) {
            throw new IllegalStateException("a child with a stage is run to its end: " + argv.getFirst());
        }
        return start(List.of());
    }

    /// As [#start], but what it says comes to us, in [Process#getInputStream]: at most the kernel's 64 KiB wait there, and nobody hears what is said after that is closed. So it can
    /// say what it likes and fill nothing. It is not to mind SIGPIPE.
    public Process startAudible() throws IOException {
        if (stage != null) {
            throw new IllegalStateException("a child with a stage is run to its end: " + argv.getFirst());
        }
        return start(List.of(), ProcessBuilder.Redirect.PIPE);
    }

    private Process start(List<String> prefix) throws IOException {
        return start(prefix, ProcessBuilder.Redirect.appendTo(output.toFile()));
    }

    private Process start(List<String> prefix, ProcessBuilder.Redirect words) throws IOException {
        var command = new ArrayList<String>(prefix);
        if (!cgroupFiles.isEmpty()) {
            command.addAll(List.of("/bin/sh", "-c", JOIN, "join"));
            cgroupFiles.forEach(file -> command.add(file.toString()));
            command.add("--");
        }
        command.addAll(argv);
        var builder = new ProcessBuilder(command);
        builder.environment().clear();
        builder.environment().putAll(env);
        builder.redirectInput(ProcessBuilder.Redirect.from(input.toFile()));
        builder.redirectErrorStream(true);
        builder.redirectOutput(words);
        return builder.start();
    }

    private static void killAll(Process process) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    private String tail() {
        return tail(output);
    }

    /// The last 4 KiB of a text file, for people; empty when it cannot be read.
    public static String tail(Path path) {
        try (var file = new RandomAccessFile(path.toFile(), "r")) {
            long length = file.length();
            var bytes = new byte[(int) Math.min(length, TAIL_BYTES)];
            file.seek(length - bytes.length);
            file.readFully(bytes);
            return new String(bytes, StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            return "";
        }
    }
}
