package dev.caisson.host;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Usage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SortedSet;

/// The kernel's control groups, version 1 (one tree per controller) or 2 (one tree).
///
/// A cgroup's name is relative to each controller's root, such as `caisson-1a2b3c4d/sb…`. Names are checked: relative, no `..`.
/// Threads: safe for many.
public sealed interface Cgroups permits CgroupsV1, CgroupsV2 {

    /// Finds the mounted version that can limit CPU, memory and processes.
    ///
    /// Errors: [Failure.Code#HOST_UNFIT] that names what is missing.
    static Cgroups detect() {
        return CgroupDetection.detect(Path.of("/proc/self/mountinfo"));
    }

    /// 1 or 2.
    int version();

    /// Controllers in use, such as `cpu memory pids`.
    SortedSet<String> controllers();

    /// Mount points of a version 2 tree beside the version 1 trees that are in use: some programs refuse a machine that has both.
    List<Path> unusedUnified();

    /// Makes the cgroup (and its parent) with these limits; one that is there already gets them.
    ///
    /// Errors: [dev.caisson.sandbox.SandboxException] HOST_UNFIT when cgroups cannot be written or a controller is missing.
    void create(String name, CgroupLimits limits) throws IOException;

    /// Changes the CPU quota alone. Unit: thousandths of one CPU.
    void limitCpu(String name, int cpuMillis) throws IOException;

    /// Changes the limit on processes and threads alone.
    void limitProcesses(String name, int pids) throws IOException;

    /// Files into each of which a starting process writes `0` to join; they join one process only while it has one thread.
    List<Path> joinFiles(String name);

    /// Stops every process in it and those below, at most `bound`; when it returns none of their instructions runs. Harmless when frozen already.
    ///
    /// Errors: [Failure.Code#UNSUPPORTED] on a machine without a freezer, an [IOException] when it did not come to rest; it goes on then.
    void freeze(String name, Duration bound) throws IOException, InterruptedException;

    /// Lets them go on; harmless when they do.
    void thaw(String name) throws IOException;

    /// Sends SIGKILL to every process in it, frozen ones too, until it is empty, at most `bound`. True when empty (or absent).
    boolean kill(String name, Duration bound) throws InterruptedException;

    /// Removes the cgroup and those below it; harmless when absent. It must hold no process.
    void remove(String name) throws IOException;

    /// Removes a cgroup that neither a process nor another cgroup is in any more; harmless when it is absent or in use.
    void removeUnused(String name);

    boolean exists(String name);

    /// Ids of the processes in it (not those below it); empty when absent.
    List<Integer> processes(String name);

    /// What was used so far; [Usage#NONE] when absent.
    Usage usage(String name);

    /// What it uses now; nothing when absent.
    CgroupLoad load(String name);

    /// How often the kernel killed a process in it for memory.
    long oomKills(String name);

    /// How often a fork was refused because of the limit on processes.
    long refusedForks(String name);

    /// Names of the cgroups directly below `parent`.
    List<String> children(String parent);
}
