package dev.caisson.host;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Usage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;

/// Version 2: one tree; a parent hands controllers down through `cgroup.subtree_control`.
final class CgroupsV2 implements Cgroups {
    private static final int PERIOD_MICROS = 100_000;
    private static final Duration LOOK_AGAIN = Duration.ofMillis(1);
    private static final List<String> CONTROLLERS = List.of("cpu", "memory", "pids");

    private final Path root;

    CgroupsV2(Path root) {
        this.root = root;
    }

    private Path at(String name) {
        return CgroupFiles.directory(root, name);
    }

    @Override
    public int version() {
        return 2;
    }

    @Override
    public SortedSet<String> controllers() {
        return new TreeSet<>(CONTROLLERS);
    }

    @Override
    public List<Path> unusedUnified() {
        return List.of();
    }

    @Override
    public void create(String name, CgroupLimits limits) throws IOException {
        var directory = at(name);
        handDown(root);
        for (int i = 1; i < Path.of(name).getNameCount(); i++) {
            var parent = root.resolve(Path.of(name).subpath(0, i));
            CgroupFiles.make(parent);
            handDown(parent);
        }
        CgroupFiles.make(directory);
        limitProcesses(name, limits.pids());
        CgroupFiles.write(directory.resolve("memory.max"), Long.toString(limits.memory().bytes()));
        if (Files.exists(directory.resolve("memory.swap.max"))) {
            CgroupFiles.write(directory.resolve("memory.swap.max"), "0");
        }
        limitCpu(name, limits.cpuMillis());
    }

    @Override
    public void limitCpu(String name, int cpuMillis) throws IOException {
        CgroupFiles.write(at(name).resolve("cpu.max"), (long) cpuMillis * PERIOD_MICROS / 1000 + " " + PERIOD_MICROS);
    }

    @Override
    public void limitProcesses(String name, int pids) throws IOException {
        CgroupFiles.write(at(name).resolve("pids.max"), Integer.toString(pids));
    }

    private static void handDown(Path parent) throws IOException {
        var file = parent.resolve("cgroup.subtree_control");
        var enabled = Arrays.asList(CgroupFiles.text(file).strip().split("\\s+"));
        for (String controller : CONTROLLERS) {
            if (!enabled.contains(controller)) {
                try {
                    CgroupFiles.write(file, "+" + controller);
                } catch (IOException e) {
                    throw Failure.Code.HOST_UNFIT.with("cannot hand the cgroup controller " + controller + " down at " + parent + ": " + e.getMessage(),
                            "run on the host, or in a container whose own processes are in a cgroup below its root (the kernel forbids both in one)", e);
                }
            }
        }
    }

    @Override
    public List<Path> joinFiles(String name) {
        return List.of(at(name).resolve("cgroup.procs"));
    }

    /// `cgroup.freeze` is Linux 5.2.
    @Override
    public void freeze(String name, Duration bound) throws IOException, InterruptedException {
        var directory = at(name);
        if (!Files.exists(directory.resolve("cgroup.freeze"))) {
            throw Failure.Code.UNSUPPORTED.with("this machine's kernel cannot freeze a cgroup, so nothing can be paused", "use Linux 5.2 or newer, or let it run");
        }
        CgroupFiles.write(directory.resolve("cgroup.freeze"), "1");
        var until = System.nanoTime() + bound.toNanos();
        while (CgroupFiles.keyed(directory.resolve("cgroup.events"), "frozen") == 0) {
            if (System.nanoTime() > until) {
                thaw(name);
                throw new IOException("it did not come to rest within " + bound.toSeconds() + " s");
            }
            Thread.sleep(LOOK_AGAIN);
        }
    }

    @Override
    public void thaw(String name) throws IOException {
        var file = at(name).resolve("cgroup.freeze");
        if (Files.exists(file)) {
            CgroupFiles.write(file, "0");
        }
    }

    /// `cgroup.kill` (Linux 5.14) ends all at once, against fork bombs too; before that, forks are forbidden and killing repeated.
    @Override
    public boolean kill(String name, Duration bound) throws InterruptedException {
        var directory = at(name);
        var until = System.nanoTime() + bound.toNanos();
        boolean asked = false;
        while (true) {
            if (!populated(directory)) {
                return true;
            }
            if (System.nanoTime() > until) {
                return false;
            }
            if (!asked) {
                asked = true;
                killAll(directory);
            } else if (!Files.exists(directory.resolve("cgroup.kill"))) {
                CgroupFiles.processes(directory).forEach(CgroupsV2::killOne);
            }
            Thread.sleep(LOOK_AGAIN);
        }
    }

    /// `populated` covers the cgroups below too, which `cgroup.procs` does not.
    private static boolean populated(Path directory) {
        return CgroupFiles.keyed(directory.resolve("cgroup.events"), "populated") != 0;
    }

    private static void killAll(Path directory) {
        var all = directory.resolve("cgroup.kill");
        try {
            if (Files.exists(all)) {
                CgroupFiles.write(all, "1");
            } else {
                CgroupFiles.write(directory.resolve("pids.max"), "0");
                CgroupFiles.processes(directory).forEach(CgroupsV2::killOne);
            }
        } catch (IOException e) {
            // Gone in this moment; the next look tells.
        }
    }

    private static void killOne(int pid) {
        try {
            NativeLinux.kill(pid, NativeLinux.SIGKILL);
        } catch (IOException e) {
            // Gone already; the next look tells.
        }
    }

    @Override
    public void remove(String name) throws IOException {
        CgroupFiles.remove(at(name));
    }

    @Override
    public void removeUnused(String name) {
        CgroupFiles.removeUnused(at(name));
    }

    @Override
    public boolean exists(String name) {
        return Files.exists(at(name));
    }

    @Override
    public List<Integer> processes(String name) {
        return CgroupFiles.processes(at(name));
    }

    /// `memory.peak` is Linux 5.19; before it the present use is the best that is known.
    @Override
    public Usage usage(String name) {
        var directory = at(name);
        var peak = directory.resolve("memory.peak");
        return new Usage(
                new ByteSize(CgroupFiles.number(Files.exists(peak) ? peak : directory.resolve("memory.current"))),
                Duration.ofNanos(CgroupFiles.keyed(directory.resolve("cpu.stat"), "usage_usec") * 1000));
    }

    @Override
    public CgroupLoad load(String name) {
        var directory = at(name);
        var stat = directory.resolve("memory.stat");
        return CgroupLoad.of(
                Duration.ofNanos(1000 * CgroupFiles.keyed(directory.resolve("cpu.stat"), "usage_usec")), CgroupFiles.number(directory.resolve("memory.current")),
                CgroupFiles.keyed(stat, "file"), CgroupFiles.keyed(stat, "shmem"));
    }

    @Override
    public long oomKills(String name) {
        return CgroupFiles.keyed(at(name).resolve("memory.events"), "oom_kill");
    }

    @Override
    public long refusedForks(String name) {
        return CgroupFiles.keyed(at(name).resolve("pids.events"), "max");
    }

    @Override
    public List<String> children(String parent) {
        return CgroupFiles.below(at(parent)).stream().map(child -> parent + "/" + child.getFileName()).sorted().toList();
    }
}
