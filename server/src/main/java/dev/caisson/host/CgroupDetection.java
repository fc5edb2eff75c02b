package dev.caisson.host;

import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// Finds where the kernel's cgroup controllers are mounted.
final class CgroupDetection {
    private static final Set<String> NEEDED_V1 = Set.of("cpu", "cpuacct", "memory", "pids");
    /// Without it nothing can be paused.
    private static final String WELCOME_V1 = "freezer";
    private static final Set<String> NEEDED_V2 = Set.of("cpu", "memory", "pids");

    private CgroupDetection() {}

    /// On a host that mounts both versions the controllers decide: they belong to one of them.
    static Cgroups detect(Path mountinfo) {
        MountTable table;
        try {
            table = MountTable.read(mountinfo);
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("cannot read " + mountinfo + ": " + e.getMessage(), "run with /proc mounted", e);
        }
        Map<String, Path> v1 = new LinkedHashMap<>();
        List<Path> all = new ArrayList<>();
        Path unified = null;
        for (var mount : table.mounts()) {
            if (mount.type().equals("cgroup")) {
                all.add(mount.point());
                Arrays.stream(mount.superOptions().split(",")).filter(name -> NEEDED_V1.contains(name) || name.equals(WELCOME_V1)).forEach(name -> v1.putIfAbsent(name, mount.point()));
            } else if (mount.type().equals("cgroup2") && unified == null) {
                all.add(mount.point());
                unified = mount.point();
            }
        }
        if (v1.keySet().containsAll(NEEDED_V1)) {
            return new CgroupsV1(v1, all);
        }
        var missing = new TreeSet<String>();
        if (unified != null) {
            var present = controllersOf(unified);
            if (present.containsAll(NEEDED_V2)) {
                return new CgroupsV2(unified);
            }
            missing.addAll(NEEDED_V2);
            missing.removeAll(present);
            missing.removeAll(v1.keySet());
        } else {
            missing.addAll(NEEDED_V1);
            missing.removeAll(v1.keySet());
        }
        throw Failure.Code.HOST_UNFIT.with(
                missing.isEmpty() ? "the cgroup controllers are split between versions 1 and 2" : "no cgroup controller for " + String.join(", ", missing),
                "mount cgroup2 at /sys/fs/cgroup with cpu, memory and pids (boot with systemd.unified_cgroup_hierarchy=1), or mount those version 1 controllers");
    }

    private static Set<String> controllersOf(Path unified) {
        try {
            return Set.of(Files.readString(unified.resolve("cgroup.controllers")).strip().split("\\s+"));
        } catch (IOException e) {
            return Set.of();
        }
    }
}
