package dev.caisson.runtime.container;

import dev.caisson.runtime.AgentDoor;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.OciBundle;
import dev.caisson.runtime.OciMount;
import dev.caisson.runtime.container.ContainerDriver.Places;
import dev.caisson.sandbox.ByteSize;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What the runtime is told: every namespace, no new privileges, few capabilities, our list of system calls, and little of /proc.
final class ContainerBundle {
    /// What the agent needs to act as root and as any user of its container, and nothing else. None reaches beyond the user namespace.
    private static final List<String> CAPABILITIES =
            List.of("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID");

    /// Docker's list, and what tells of the whole machine: keys, timers, interrupts, disks, memory and its layout, the kernel's symbols.
    private static final List<String> MASKED = List.of(
            "/proc/acpi", "/proc/asound", "/proc/buddyinfo", "/proc/config.gz", "/proc/diskstats", "/proc/dma", "/proc/driver", "/proc/interrupts", "/proc/iomem",
            "/proc/ioports", "/proc/kallsyms", "/proc/kcore", "/proc/key-users", "/proc/keys", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount",
            "/proc/kpageflags", "/proc/latency_stats", "/proc/modules", "/proc/mtrr", "/proc/pagetypeinfo", "/proc/partitions", "/proc/sched_debug",
            "/proc/schedstat", "/proc/scsi", "/proc/slabinfo", "/proc/softirqs", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/timer_stats",
            "/proc/vmallocinfo", "/proc/zoneinfo");

    private static final List<String> READ_ONLY = List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys");
    private static final ByteSize SHARED_MEMORY = ByteSize.mib(64);
    // Directories in it only; its files would be the guest's memory.
    private static final ByteSize DEVICES = ByteSize.kib(64);

    // The range after the last slot's.
    private static final int PROBE_FIRST_ID = ContainerDriver.FIRST_ID + ContainerDriver.MAX_SLOTS * ContainerDriver.IDS;

    private ContainerBundle() {}

    /// @param first the host's user id that is root inside
    /// @param annotations the runtime's own
    static OciBundle of(Boot boot, Places at, int first, Map<String, String> annotations) {
        var limits = boot.spec().limits();
        var rlimits = new LinkedHashMap<String, Long>();
        rlimits.put("RLIMIT_NOFILE", (long) limits.openFiles());
        rlimits.put("RLIMIT_CORE", 0L);
        // Root inside belongs to one container alone, so its count of processes does too; the cgroup bounds all users together.
        long sharedMemory = Math.min(SHARED_MEMORY.bytes(), limits.memory().bytes() / 2);
        var mounts = List.of(
                OciMount.of("/proc", "proc", "nosuid", "noexec", "nodev"),
                OciMount.of("/dev", "tmpfs", "nosuid", "noexec", "mode=755", "size=" + DEVICES.bytes()),
                OciMount.of("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
                OciMount.of("/dev/shm", "tmpfs", "nosuid", "nodev", "noexec", "mode=1777", "size=" + sharedMemory),
                // Nothing of the machine's devices: an empty directory where the kernel's would be.
                OciMount.of("/sys", "tmpfs", "ro", "nosuid", "nodev", "noexec", "mode=555", "size=4096"),
                AgentDoor.mount(at.door()));
        return new OciBundle(AgentDoor.COMMAND, at.root(), false, true, CAPABILITIES, rlimits, mounts, linux(boot.cgroup(), first,
                Map.of("type", "network", "path", boot.network().toString())), annotations);
    }

    /// A bundle like a sandbox's that only runs the agent's `--version`.
    static OciBundle probe(Places at, String cgroup, Map<String, String> annotations) {
        var mounts = List.of(OciMount.of("/proc", "proc", "nosuid", "noexec", "nodev"), OciMount.of("/dev", "tmpfs", "nosuid", "noexec", "mode=755"));
        return new OciBundle(List.of("/agent", "--version"), at.root(), false, true, CAPABILITIES, Map.of(), mounts,
                linux(cgroup, PROBE_FIRST_ID, Map.of("type", "network")), annotations);
    }

    private static Map<String, Object> linux(String cgroup, int first, Map<String, Object> network) {
        var linux = new LinkedHashMap<String, Object>();
        linux.put("namespaces", List.of(
                Map.of("type", "user"), Map.of("type", "pid"), Map.of("type", "ipc"), Map.of("type", "uts"), Map.of("type", "mount"), Map.of("type", "cgroup"), network));
        var ids = List.of(Map.of("containerID", 0, "hostID", first, "size", ContainerDriver.IDS));
        linux.put("uidMappings", ids);
        linux.put("gidMappings", ids);
        // Ours by name, for a runtime that insists on joining one; limits are set by us.
        linux.put("cgroupsPath", "/" + cgroup);
        linux.put("resources", Map.of("devices", devices()));
        linux.put("seccomp", SystemCalls.profile(System.getProperty("os.arch", "amd64")));
        linux.put("maskedPaths", MASKED);
        linux.put("readonlyPaths", READ_ONLY);
        linux.put("rootfsPropagation", "private");
        return linux;
    }

    /// null, zero, full, random, urandom, tty, ptmx and terminals; the runtime makes those.
    private static List<Map<String, Object>> devices() {
        return List.of(
                Map.of("allow", false, "access", "rwm"),
                device(1, 3), device(1, 5), device(1, 7), device(1, 8), device(1, 9), device(5, 0), device(5, 2),
                Map.of("allow", true, "type", "c", "major", 136, "access", "rw"));
    }

    private static Map<String, Object> device(int major, int minor) {
        return Map.of("allow", true, "type", "c", "major", major, "minor", minor, "access", "rw");
    }
}
