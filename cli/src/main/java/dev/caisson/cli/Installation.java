package dev.caisson.cli;

import dev.caisson.client.Caisson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;

/// The directory of one installation (CAISSON_HOME), and what the command line keeps in it.
///
/// `run/front.url` and `run/cli.key` are there while the installation runs. `run/NAME.pid` and `run/NAME.out` are of each process; `run/NAME.keeper`
/// is the process id of what starts it again, and is there under `caisson up` only.
record Installation(Path home) {
    static final Path DEFAULT_HOME = Path.of("/var/lib/caisson");
    /// In the order they are started; they end front first, so that nothing new comes, and the deadman last.
    static final List<String> PROCESSES = List.of("node", "deadman", "gateway", "front");
    static final List<String> ENDING = List.of("front", "node", "gateway", "deadman");

    /// The one that CAISSON_HOME names.
    static Installation ofEnvironment() {
        String home = System.getenv("CAISSON_HOME");
        var path = home == null || home.isEmpty() ? DEFAULT_HOME : Path.of(home);
        if (!path.isAbsolute()) {
            throw new CliException("CAISSON_HOME is not absolute: " + path, "start it with /");
        }
        return new Installation(path.normalize());
    }

    Path run() {
        return home.resolve("run");
    }

    Path log() {
        return home.resolve("log");
    }

    Path url() {
        return run().resolve("front.url");
    }

    Path key() {
        return run().resolve("cli.key");
    }

    /// The gateway makes it as root, and is root no more when it ends.
    Path gatewaySocket() {
        return run().resolve("gateway.sock");
    }

    Path log(String process) {
        return log().resolve(process + ".log");
    }

    Path output(String process) {
        return run().resolve(process + ".out");
    }

    /// True for root, who alone may start processes or read the key.
    static boolean isRoot() {
        try {
            return Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
        } catch (IOException | UnsupportedOperationException _) {
            return false;
        }
    }

    /// Makes the directories; whoever may enter `run` finds only files that are each closed to strangers.
    void prepare() {
        if (!isRoot()) {
            throw new CliException("this needs root: it makes cgroups, namespaces and mounts", "run it with sudo, or set CAISSON_URL and CAISSON_KEY to use an installation that runs");
        }
        try {
            for (var directory : List.of(home, run(), run().resolve("s"), log())) {
                Files.createDirectories(directory);
                Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
            }
            var front = home.resolve("front");
            Files.createDirectories(front);
            Files.setPosixFilePermissions(front, PosixFilePermissions.fromString("rwx------"));
            var user = home.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(Launch.FRONT_USER);
            var group = home.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(Launch.FRONT_USER);
            var view = Files.getFileAttributeView(front, java.nio.file.attribute.PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
            view.setOwner(user);
            view.setGroup(group);
        } catch (IOException e) {
            throw new CliException("cannot prepare " + home + ": " + e.getMessage(), "free some space, or name another place with CAISSON_HOME", e);
        }
    }

    /// Replaces a file whole; readable by root only.
    static void writePrivate(Path file, String content) throws IOException {
        var fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(fresh);
        Files.createFile(fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            Files.writeString(fresh, content);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            Files.deleteIfExists(fresh);
            throw e;
        }
    }

    void forget() {
        for (var file : List.of(url(), key())) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                throw new CliException("cannot remove " + file + ": " + e.getMessage(), "remove it", e);
            }
        }
    }

    /// The keeper of a process, when it lives.
    Optional<ProcessHandle> keeper(String process) {
        return alive(run().resolve(process + ".keeper"), run().toString());
    }

    /// A process of this installation, when it lives.
    Optional<ProcessHandle> process(String process) {
        return alive(run().resolve(process + ".pid"), home.toString());
    }

    /// A process id from a file, believed only when that process's command line names this installation: ids are used again.
    private static Optional<ProcessHandle> alive(Path file, String argument) {
        try {
            long pid = Long.parseLong(Files.readString(file).strip());
            String line = Files.readString(Path.of("/proc/" + pid + "/cmdline"), java.nio.charset.StandardCharsets.ISO_8859_1);
            return List.of(line.split("\0", -1)).contains(argument) ? ProcessHandle.of(pid) : Optional.empty();
        } catch (IOException | NumberFormatException _) {
            return Optional.empty();
        }
    }

    /// True when `caisson up` is there for it, whatever its processes are doing just now.
    boolean isUp() {
        return PROCESSES.stream().anyMatch(process -> keeper(process).isPresent());
    }

    Caisson connect() {
        return Caisson.connectLocal(home);
    }

    /// The last line of a process's log that says why it did not start; for the line we print.
    CliException whyNot(String process, long logStart) {
        String why = "see " + log(process);
        try {
            byte[] all = Files.readAllBytes(log(process));
            String tail = new String(all, (int) Math.min(logStart, all.length), (int) Math.max(0, all.length - logStart), java.nio.charset.StandardCharsets.UTF_8);
            var errors = tail.lines().filter(line -> line.startsWith("error: ")).toList();
            if (!errors.isEmpty()) {
                String line = errors.getLast().substring("error: ".length());
                int open = line.lastIndexOf(" (");
                return open > 0 && line.endsWith(")")
                        ? new CliException(line.substring(0, open), line.substring(open + 2, line.length() - 1))
                        : new CliException(line, why);
            }
            var last = tail.lines().filter(line -> !line.isBlank() && !line.startsWith("\tat ") && !line.startsWith("keep: ")).toList();
            return new CliException("the " + process + " did not start" + (last.isEmpty() ? "" : ": " + last.getLast()), why);
        } catch (IOException _) {
            return new CliException("the " + process + " did not start", why);
        }
    }
}
