package dev.caisson.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/// The leak checker: everything of an installation's sandboxes that is there, read from the kernel and not from our own records.
///
/// @param home the installation's directory
/// @param cgroupParent the name of its cgroup
public record Leftovers(Path home, String cgroupParent) {
    /// A node keeps 8 plugs ready that no sandbox has had, and may be making one; each that a sandbox has had is in its receipt.
    private static final int READY_PLUGS = 9;

    /// Sandbox ids and the like of whatever is there now: processes, cgroups, mounts, loop devices, directories.
    public Set<String> now() throws IOException {
        return now(0);
    }

    /// @param living sandboxes that may be there, each with a plug
    public Set<String> now(int living) throws IOException {
        var found = new TreeSet<String>();
        found.addAll(cgroups());
        found.addAll(mounts(living));
        found.addAll(loops());
        found.addAll(directories());
        found.addAll(processes());
        return found;
    }

    /// What is left once it has had `patience` to go.
    public Set<String> after(Duration patience) throws IOException, InterruptedException {
        long until = System.nanoTime() + patience.toNanos();
        var left = now();
        while (!left.isEmpty() && System.nanoTime() < until) {
            Thread.sleep(10);
            left = now();
        }
        return left;
    }

    /// What is left once the node has ended, too: then there are no plugs made ahead, and no network that they lead to.
    public Set<String> afterTheNode(Duration patience) throws IOException, InterruptedException {
        long until = System.nanoTime() + patience.toNanos();
        while (true) {
            var left = now();
            left.addAll(network());
            if (left.isEmpty() || System.nanoTime() > until) {
                return left;
            }
            Thread.sleep(10);
        }
    }

    private Set<String> network() throws IOException {
        var found = new TreeSet<String>();
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            String point = line.split(" ")[4];
            if (point.startsWith(home + "/run/")) {
                found.add("mount " + point);
            }
        }
        Path plugs = home.resolve("run/p");
        if (Files.isDirectory(plugs)) {
            try (var files = Files.list(plugs)) {
                files.forEach(file -> found.add("plug " + file));
            }
        }
        try (var files = Files.list(home.resolve("run"))) {
            files.filter(file -> file.getFileName().toString().startsWith("gateway.net")).forEach(file -> found.add("network " + file));
        }
        return found;
    }

    private Set<String> cgroups() throws IOException {
        var found = new TreeSet<String>();
        try (var controllers = Files.list(Path.of("/sys/fs/cgroup"))) {
            for (Path parent : Stream.concat(Stream.of(Path.of("/sys/fs/cgroup")), controllers).map(one -> one.resolve(cgroupParent)).filter(Files::isDirectory).toList()) {
                try (var groups = Files.list(parent)) {
                    groups.filter(Files::isDirectory).forEach(group -> found.add("cgroup " + group));
                }
            }
        }
        return found;
    }

    private Set<String> mounts(int living) throws IOException {
        var found = new TreeSet<String>();
        var plugs = new TreeSet<String>();
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            String point = line.split(" ")[4];
            if (point.startsWith(home + "/run/p/")) {
                plugs.add("mount " + point);
            } else if (point.startsWith(home + "/") && !point.startsWith(home + "/image/") && !point.equals(home + "/run/gateway.net")) {
                found.add("mount " + point);
            }
        }
        if (plugs.size() > READY_PLUGS + living) {
            found.addAll(plugs);
        }
        return found;
    }

    private Set<String> loops() throws IOException {
        var found = new TreeSet<String>();
        try (var devices = Files.list(Path.of("/sys/block"))) {
            for (Path device : devices.filter(one -> one.getFileName().toString().startsWith("loop")).toList()) {
                Path backing = device.resolve("loop/backing_file");
                try {
                    String file = Files.readString(backing).strip();
                    if (file.startsWith(home + "/") && !file.startsWith(home + "/image/")) {
                        found.add("loop " + device.getFileName() + " on " + file);
                    }
                } catch (IOException _) {
                    // Detached between the look and the read, or not in use.
                }
            }
        }
        return found;
    }

    private Set<String> directories() throws IOException {
        var found = new TreeSet<String>();
        Path sandboxes = home.resolve("run/s");
        if (Files.isDirectory(sandboxes)) {
            try (var entries = Files.list(sandboxes)) {
                entries.forEach(entry -> found.add("directory " + entry));
            }
        }
        return found;
    }

    private Set<String> processes() throws IOException {
        var found = new TreeSet<String>();
        try (var processes = Files.list(Path.of("/proc"))) {
            for (Path process : processes.filter(one -> one.getFileName().toString().chars().allMatch(Character::isDigit)).toList()) {
                try {
                    String command = Files.readString(process.resolve("cmdline")).replace('\0', ' ');
                    if (command.contains(home + "/run/s/")) {
                        found.add("process " + process.getFileName() + " " + command.strip());
                    }
                } catch (IOException | java.io.UncheckedIOException _) {
                    // Ended between the look and the read.
                }
            }
        }
        return found;
    }
}
