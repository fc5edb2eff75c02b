package dev.caisson.runtime.firecracker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.runtime.microvm.Vm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// What the kernel says of a running Firecracker.
record JailFacts(int pid, Vm vm) {
    private static final List<String> CAPABILITIES = List.of("CapInh", "CapPrm", "CapEff", "CapAmb");
    private static final List<String> NAMESPACES = List.of("mnt", "pid", "net", "ipc", "uts");

    void check() throws IOException {
        var threads = list(process().resolve("task"));
        assertThat(threads).hasSizeGreaterThanOrEqualTo(3);
        for (Path thread : threads) {
            var status = status(thread);
            var user = vm.user() + "\t" + vm.user() + "\t" + vm.user() + "\t" + vm.user();
            assertThat(status).containsEntry("Uid", user).containsEntry("Gid", user).containsEntry("Groups", "").containsEntry("NoNewPrivs", "1").containsEntry("Seccomp", "2");
            CAPABILITIES.forEach(name -> assertThat(status).containsEntry(name, "0000000000000000"));
        }
        for (String namespace : NAMESPACES) {
            assertThat(namespace(process(), namespace)).as(namespace).isNotEqualTo(namespace(Path.of("/proc/self"), namespace));
        }
        assertThat(Files.getAttribute(process().resolve("ns/net"), "unix:ino")).isEqualTo(Files.getAttribute(vm.network(), "unix:ino"));
        assertThat(status(process()).getOrDefault("NSpid", "")).endsWith("\t1");
        assertThat(Files.readString(process().resolve("cgroup"))).contains(":pids:/" + vm.cgroup() + "\n");
        files();
    }

    /// All of the host that it sees, and what it has open.
    private void files() throws IOException {
        var root = process().resolve("root");
        assertThat(list(root).stream().map(file -> file.getFileName().toString()))
                .containsExactlyInAnyOrder("dev", "door", "disk", "firecracker", "firecracker.pid", "initramfs", "kernel", "log", "metrics", "root", "run", "v", "v_1024");
        for (String directory : List.of("", "run", "dev", "dev/net", "door")) {
            assertThat(Files.getAttribute(root.resolve(directory), "unix:uid")).as(directory).isEqualTo(0);
            assertThat(Files.getPosixFilePermissions(root.resolve(directory))).as(directory).doesNotContain(PosixFilePermission.OTHERS_WRITE, PosixFilePermission.GROUP_WRITE);
        }
        var mounts = Files.readAllLines(process().resolve("mountinfo")).stream().map(line -> line.split(" ")).collect(Collectors.toMap(field -> field[4], field -> field[5]));
        assertThat(mounts.keySet()).containsExactlyInAnyOrder("/", "/root", "/kernel", "/initramfs", "/disk", "/door");
        for (String name : List.of("/root", "/kernel", "/initramfs", "/door")) {
            assertThat(mounts.get(name)).as(name).startsWith("ro,nosuid,nodev");
        }
        for (Path descriptor : list(process().resolve("fd"))) {
            var target = Files.readSymbolicLink(descriptor).toString();
            // The host's null device is on a mount that it has no path to.
            assertThat(target).matches("/null|/dev/kvm|/dev/net/tun|/kernel|/initramfs|/root|/disk|/log|/metrics|anon_inode:.*|socket:.*|/dev/urandom");
        }
        assertThat(Files.readString(process().resolve("environ"))).isEmpty();
    }

    private Path process() {
        return Path.of("/proc", Integer.toString(pid));
    }

    private static Path namespace(Path process, String name) throws IOException {
        return Files.readSymbolicLink(process.resolve("ns").resolve(name));
    }

    private static Map<String, String> status(Path thread) throws IOException {
        var values = new TreeMap<String, String>();
        for (String line : Files.readAllLines(thread.resolve("status"))) {
            int colon = line.indexOf(':');
            values.put(line.substring(0, colon), line.substring(colon + 1).strip());
        }
        return values;
    }

    private static List<Path> list(Path directory) throws IOException {
        try (var entries = Files.list(directory)) {
            return entries.toList();
        }
    }
}
