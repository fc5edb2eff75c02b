package dev.caisson.testing;

import dev.caisson.host.Cgroups;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;

/// The machines that a node has made ahead, as it tells them and as they are seen on its disk.
public record Standing(Sandboxes node, TestHome home) {
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    /// Waits until at least so many stand by.
    public void await(int count) throws InterruptedException {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (node.status().standingBy() < count) {
            if (System.nanoTime() > until) {
                throw new AssertionError(node.status().standingBy() + " stand by, not " + count + ", after " + PATIENCE);
            }
            Thread.sleep(20);
        }
    }

    /// Their names, and those of any that is just being made.
    public Set<String> names() throws IOException {
        var names = new TreeSet<String>();
        try (var all = Files.list(home.home().sandboxes())) {
            all.forEach(one -> names.add(one.getFileName().toString()));
        }
        node.list().forEach(info -> names.remove(info.id().value()));
        return names;
    }

    /// Ends every process of one, and waits until they are gone.
    public void kill(String name) throws InterruptedException {
        var cgroups = Cgroups.detect();
        String cgroup = home.home().cgroup(name);
        for (long pid : cgroups.processes(cgroup)) {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        }
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (!cgroups.processes(cgroup).isEmpty()) {
            if (System.nanoTime() > until) {
                throw new AssertionError("processes of " + name + " do not end: " + cgroups.processes(cgroup));
            }
            Thread.sleep(1);
        }
    }
}
