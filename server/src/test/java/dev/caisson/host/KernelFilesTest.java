package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What we read from the kernel's text files.
class KernelFilesTest {
    @TempDir
    Path directory;

    private Path mountinfo(String text) throws IOException {
        return Files.writeString(directory.resolve("mountinfo"), text);
    }

    @Test
    void mountPointsWithSpacesAndOptionalFieldsAreRead() throws Exception {
        var table = MountTable.read(mountinfo("""
                22 27 0:21 / /proc rw,relatime - proc proc rw
                30 27 0:25 / /a\\040b rw shared:1 master:2 - tmpfs none rw,size=4k
                31 30 0:26 / /a\\040b/c rw - erofs /dev/loop3 ro
                """));
        assertThat(table.has(Path.of("/a b"))).isTrue();
        assertThat(table.has(Path.of("/a"))).isFalse();
        assertThat(table.below(Path.of("/a b"))).containsExactly(Path.of("/a b/c"));
        assertThat(table.mounts().getLast()).isEqualTo(new MountTable.Mount(Path.of("/a b/c"), "erofs", "rw", "/dev/loop3", "ro"));
    }

    @Test
    void versionOneIsFoundOnAHybridMachine() throws Exception {
        Files.writeString(directory.resolve("cgroup.controllers"), "");
        var cgroups = CgroupDetection.detect(mountinfo("""
                32 31 0:29 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct
                35 31 0:32 / /c/memory rw - cgroup cgroup rw,memory
                39 31 0:36 / /c/pids rw - cgroup cgroup rw,pids
                41 31 0:38 / %s rw - cgroup2 cgroup2 rw
                """.formatted(directory)));
        assertThat(cgroups.version()).isEqualTo(1);
        assertThat(cgroups.joinFiles("a/b")).extracting(Path::toString).containsExactly("/c/pids/a/b/tasks", "/c/memory/a/b/tasks", "/c/cpu/a/b/tasks");
        assertThat(cgroups.unusedUnified()).containsExactly(directory);
    }

    @Test
    void versionTwoIsFound() throws Exception {
        Files.writeString(directory.resolve("cgroup.controllers"), "cpuset cpu io memory pids\n");
        assertThat(CgroupDetection.detect(mountinfo("41 31 0:38 / %s rw - cgroup2 cgroup2 rw\n".formatted(directory))).version()).isEqualTo(2);
    }

    @Test
    void aMissingControllerIsNamed() throws Exception {
        Files.writeString(directory.resolve("cgroup.controllers"), "cpu memory\n");
        var info = mountinfo("41 31 0:38 / %s rw - cgroup2 cgroup2 rw\n".formatted(directory));
        assertThatThrownBy(() -> CgroupDetection.detect(info)).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.HOST_UNFIT);
            assertThat(e).hasMessageContaining("pids");
        });
    }

    @Test
    void refusedPacketsOfBothVersionsAreAdded() {
        var snmp = """
                Ip: Forwarding DefaultTTL OutDiscards OutNoRoutes ReasmTimeout
                Ip: 2 64 0 7 0
                Icmp: InMsgs
                Icmp: 0
                """;
        assertThat(NetworkCounters.noRoute(snmp, "Ip6InReceives 4\nIp6OutNoRoutes                  \t3\n")).isEqualTo(10);
        assertThat(NetworkCounters.noRoute("", "")).isZero();
    }
}
