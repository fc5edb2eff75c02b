package dev.caisson.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/// Descriptors of user namespaces that stand for an id mapping; idmapped mounts take them.
///
/// A namespace is made by a child that waits on its stdin: a process with threads may not make one; it lives on through the descriptor.
/// One descriptor per mapping is kept, at most 1,024.
final class UserNamespaces {
    private static final int MAX_KEPT = 1024;
    private static final Duration BOUND = Duration.ofSeconds(5);
    private static final Map<Mapping, Integer> KEPT = new HashMap<>();

    private record Mapping(int first, int count) {}

    private UserNamespaces() {}

    /// A descriptor of a namespace that shows ids 0 to `count`-1 as `first` and up. Stays open.
    static int mapping(int first, int count) throws IOException, InterruptedException {
        var mapping = new Mapping(first, count);
        synchronized (KEPT) {
            var kept = KEPT.get(mapping);
            if (kept != null) {
                return kept;
            }
            if (KEPT.size() == MAX_KEPT) {
                var oldest = KEPT.keySet().iterator().next();
                var fd = KEPT.remove(oldest);
                if (fd != null) {
                    NativeLinux.close(fd);
                }
            }
            int made = make(mapping);
            KEPT.put(mapping, made);
            return made;
        }
    }

    private static int make(Mapping mapping) throws IOException, InterruptedException {
        var builder = new ProcessBuilder("unshare", "--user", "--", "cat");
        builder.environment().clear();
        builder.environment().put("PATH", "/usr/bin:/bin");
        builder.redirectOutput(ProcessBuilder.Redirect.DISCARD);
        builder.redirectError(ProcessBuilder.Redirect.DISCARD);
        // cat ends when our end of its stdin does, also when we are killed.
        var child = builder.start();
        try {
            awaitOwnNamespace(child);
            var process = Path.of("/proc/" + child.pid());
            var line = "0 " + mapping.first() + " " + mapping.count();
            Files.writeString(process.resolve("uid_map"), line, StandardOpenOption.WRITE);
            Files.writeString(process.resolve("gid_map"), line, StandardOpenOption.WRITE);
            return NativeLinux.open(process.resolve("ns/user").toString(), NativeLinux.O_RDONLY);
        } finally {
            child.destroyForcibly();
        }
    }

    private static void awaitOwnNamespace(Process child) throws IOException, InterruptedException {
        var ours = Files.readSymbolicLink(Path.of("/proc/self/ns/user"));
        var until = System.nanoTime() + BOUND.toNanos();
        while (child.isAlive() && System.nanoTime() < until) {
            if (!Files.readSymbolicLink(Path.of("/proc/" + child.pid() + "/ns/user")).equals(ours)) {
                return;
            }
            Thread.sleep(Duration.ofNanos(200_000));
        }
        throw new IOException("cannot make a user namespace (is user.max_user_namespaces 0, or util-linux' unshare missing?)");
    }
}
