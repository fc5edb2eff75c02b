package dev.caisson.host;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Usage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/// Version 1: a tree per controller; some controllers may share one.
final class CgroupsV1 implements Cgroups {
    private static final int PERIOD_MICROS = 100_000;
    private static final Duration LOOK_AGAIN = Duration.ofMillis(1);

    private final Map<String, Path> roots;
    private final Set<Path> trees;
    private final Set<Path> allTrees;

    /// @param roots mount point of each of cpu, cpuacct, memory, pids, and of freezer where there is one
    /// @param others further trees, which we do not use but a container runtime does, under the same name
    CgroupsV1(Map<String, Path> roots, List<Path> others) {
        this.roots = Map.copyOf(roots);
        this.trees = new LinkedHashSet<>(List.of(root("pids"), root("memory"), root("cpu"), root("cpuacct")));
        if (roots.containsKey("freezer")) {
            trees.add(root("freezer"));
        }
        this.allTrees = new LinkedHashSet<>(trees);
        allTrees.addAll(others);
    }

    private Path root(String controller) {
        var root = roots.get(controller);
        if (root == null) {
            throw Failure.Code.HOST_UNFIT.with("no cgroup controller " + controller, "mount it, or use cgroup version 2");
        }
        return root;
    }

    private Path at(String controller, String name) {
        return CgroupFiles.directory(root(controller), name);
    }

    @Override
    public int version() {
        return 1;
    }

    @Override
    public SortedSet<String> controllers() {
        return new TreeSet<>(roots.keySet());
    }

    @Override
    public List<Path> unusedUnified() {
        return allTrees.stream().filter(tree -> Files.exists(tree.resolve("cgroup.controllers"))).toList();
    }

    @Override
    public void create(String name, CgroupLimits limits) throws IOException {
        for (Path tree : trees) {
            CgroupFiles.make(CgroupFiles.directory(tree, name));
        }
        limitProcesses(name, limits.pids());
        limitMemory(at("memory", name), limits.memory().bytes());
        CgroupFiles.write(at("cpu", name).resolve("cpu.cfs_period_us"), Integer.toString(PERIOD_MICROS));
        limitCpu(name, limits.cpuMillis());
    }

    @Override
    public void limitCpu(String name, int cpuMillis) throws IOException {
        CgroupFiles.write(at("cpu", name).resolve("cpu.cfs_quota_us"), Long.toString((long) cpuMillis * PERIOD_MICROS / 1000));
    }

    @Override
    public void limitProcesses(String name, int pids) throws IOException {
        CgroupFiles.write(at("pids", name).resolve("pids.max"), Integer.toString(pids));
    }

    /// Memory and swap together may not be below memory alone: which to write first depends on whether the limit falls or rises.
    private static void limitMemory(Path directory, long bytes) throws IOException {
        var memory = directory.resolve("memory.limit_in_bytes");
        var both = directory.resolve("memory.memsw.limit_in_bytes");
        var value = Long.toString(bytes);
        if (!Files.exists(both)) {
            CgroupFiles.write(memory, value);
        } else if (CgroupFiles.number(both) < bytes) {
            CgroupFiles.write(both, value);
            CgroupFiles.write(memory, value);
        } else {
            CgroupFiles.write(memory, value);
            CgroupFiles.write(both, value);
        }
    }

    /// `tasks`, not `cgroup.procs`: a thread that moves itself takes no global lock, a process that moves does and waits for an RCU grace period.
    @Override
    public List<Path> joinFiles(String name) {
        return trees.stream().map(tree -> CgroupFiles.directory(tree, name).resolve("tasks")).toList();
    }

    /// The kernel may need several attempts: a process that sleeps where it cannot be stopped is asked again.
    @Override
    public void freeze(String name, Duration bound) throws IOException, InterruptedException {
        if (!roots.containsKey("freezer")) {
            throw Failure.Code.UNSUPPORTED.with("this machine has no cgroup freezer, so nothing can be paused", "mount the cgroup controller freezer, or let it run");
        }
        var freezer = at("freezer", name);
        var state = freezer.resolve("freezer.state");
        var until = System.nanoTime() + bound.toNanos();
        do {
            CgroupFiles.write(state, "FROZEN");
            if (CgroupFiles.text(state).strip().equals("FROZEN")) {
                if (CgroupFiles.processes(freezer).containsAll(processes(name))) {
                    return;
                }
                thaw(name);
                throw new IOException("its processes are not in the freezer's cgroup " + freezer);
            }
            Thread.sleep(LOOK_AGAIN);
        } while (System.nanoTime() < until);
        thaw(name);
        throw new IOException("it did not come to rest within " + bound.toSeconds() + " s");
    }

    @Override
    public void thaw(String name) throws IOException {
        if (roots.containsKey("freezer") && Files.exists(at("freezer", name))) {
            CgroupFiles.write(at("freezer", name).resolve("freezer.state"), "THAWED");
        }
    }

    /// Forks are forbidden first, so that no bomb outruns the killing. A frozen process dies when it is thawed, before it runs another instruction.
    @Override
    public boolean kill(String name, Duration bound) throws InterruptedException {
        var pids = at("pids", name);
        var until = System.nanoTime() + bound.toNanos();
        boolean forksForbidden = false;
        while (true) {
            var living = new TreeSet<Integer>();
            for (Path tree : allTrees) {
                living.addAll(CgroupFiles.processes(CgroupFiles.directory(tree, name)));
            }
            if (living.isEmpty()) {
                return true;
            }
            if (System.nanoTime() > until) {
                return false;
            }
            if (!forksForbidden) {
                forksForbidden = true;
                forbidForks(pids);
            }
            living.forEach(CgroupsV1::killOne);
            thawKilled(name);
            Thread.sleep(LOOK_AGAIN);
        }
    }

    private void thawKilled(String name) {
        try {
            thaw(name);
        } catch (IOException e) {
            // Gone in this moment; the next look tells.
        }
    }

    private static void forbidForks(Path pids) {
        try {
            CgroupFiles.write(pids.resolve("pids.max"), "0");
        } catch (IOException e) {
            // The limit that is there bounds the bomb; killing is repeated until nothing lives.
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
        for (Path tree : allTrees) {
            CgroupFiles.remove(CgroupFiles.directory(tree, name));
        }
    }

    @Override
    public void removeUnused(String name) {
        for (Path tree : allTrees) {
            CgroupFiles.removeUnused(CgroupFiles.directory(tree, name));
        }
    }

    @Override
    public boolean exists(String name) {
        return allTrees.stream().anyMatch(tree -> Files.exists(CgroupFiles.directory(tree, name)));
    }

    @Override
    public List<Integer> processes(String name) {
        return CgroupFiles.processes(at("pids", name));
    }

    @Override
    public Usage usage(String name) {
        return new Usage(
                new ByteSize(CgroupFiles.number(at("memory", name).resolve("memory.max_usage_in_bytes"))),
                Duration.ofNanos(CgroupFiles.number(at("cpuacct", name).resolve("cpuacct.usage"))));
    }

    @Override
    public CgroupLoad load(String name) {
        var memory = at("memory", name);
        var stat = memory.resolve("memory.stat");
        return CgroupLoad.of(
                Duration.ofNanos(CgroupFiles.number(at("cpuacct", name).resolve("cpuacct.usage"))), CgroupFiles.number(memory.resolve("memory.usage_in_bytes")),
                CgroupFiles.keyed(stat, "total_cache"), CgroupFiles.keyed(stat, "total_shmem"));
    }

    @Override
    public long oomKills(String name) {
        return CgroupFiles.keyed(at("memory", name).resolve("memory.oom_control"), "oom_kill");
    }

    @Override
    public long refusedForks(String name) {
        return CgroupFiles.keyed(at("pids", name).resolve("pids.events"), "max");
    }

    @Override
    public List<String> children(String parent) {
        return allTrees.stream().flatMap(tree -> CgroupFiles.below(CgroupFiles.directory(tree, parent)).stream())
                .map(child -> parent + "/" + child.getFileName()).distinct().sorted().toList();
    }
}
