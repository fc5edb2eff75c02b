package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Usage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Against a directory tree that looks like a cgroup2 filesystem: which files are written and read. What a kernel does with them is not
/// tested here; machines with version 2 run the driver contract.
class CgroupsV2Test {
    private static final CgroupLimits LIMITS = new CgroupLimits(1500, ByteSize.mib(64), 100);

    @TempDir
    Path root;

    private CgroupsV2 cgroups;

    @BeforeEach
    void imitate() throws IOException {
        cgroups = new CgroupsV2(root);
        Files.writeString(root.resolve("cgroup.subtree_control"), "cpu memory pids");
        imitate("p");
        imitate("p/s");
    }

    private void imitate(String name) throws IOException {
        var directory = Files.createDirectories(root.resolve(name));
        Files.writeString(directory.resolve("cgroup.subtree_control"), name.equals("p") ? "cpu memory pids" : "");
        for (String file : new String[] {"pids.max", "memory.max", "memory.swap.max", "cpu.max", "cgroup.kill"}) {
            Files.writeString(directory.resolve(file), "");
        }
        Files.writeString(directory.resolve("cgroup.events"), "populated 0\nfrozen 0\n");
    }

    private String text(String file) throws IOException {
        return Files.readString(root.resolve("p/s").resolve(file));
    }

    @Test
    void writesEveryLimit() throws Exception {
        cgroups.create("p/s", LIMITS);
        assertThat(text("pids.max")).isEqualTo("100");
        assertThat(text("memory.max")).isEqualTo("67108864");
        assertThat(text("memory.swap.max")).isEqualTo("0");
        assertThat(text("cpu.max")).isEqualTo("150000 100000");
    }

    @Test
    void freezesAndThaws() throws Exception {
        Files.writeString(root.resolve("p/s/cgroup.freeze"), "");
        Files.writeString(root.resolve("p/s/cgroup.events"), "populated 1\nfrozen 1\n");
        cgroups.freeze("p/s", Duration.ofSeconds(1));
        assertThat(text("cgroup.freeze")).isEqualTo("1");
        cgroups.thaw("p/s");
        assertThat(text("cgroup.freeze")).isEqualTo("0");
        Files.writeString(root.resolve("p/s/cgroup.events"), "populated 1\nfrozen 0\n");
        assertThatThrownBy(() -> cgroups.freeze("p/s", Duration.ofMillis(20))).isInstanceOf(IOException.class).hasMessageContaining("did not come to rest");
        assertThat(text("cgroup.freeze")).as("it goes on").isEqualTo("0");
        Files.delete(root.resolve("p/s/cgroup.freeze"));
        assertThatThrownBy(() -> cgroups.freeze("p/s", Duration.ofMillis(20))).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.UNSUPPORTED));
    }

    @Test
    void tellsWhatIsUsed() throws Exception {
        Files.writeString(root.resolve("p/s/cpu.stat"), "usage_usec 1500\nuser_usec 1000\n");
        Files.writeString(root.resolve("p/s/memory.current"), "10000\n");
        Files.writeString(root.resolve("p/s/memory.stat"), "anon 1\nfile 5000\nshmem 2000\n");
        assertThat(cgroups.load("p/s")).isEqualTo(new CgroupLoad(Duration.ofNanos(1_500_000), new ByteSize(7_000), new ByteSize(3_000)));
        assertThat(cgroups.load("p/none")).isEqualTo(new CgroupLoad(Duration.ZERO, new ByteSize(0), new ByteSize(0)));
    }

    @Test
    void joiningIsOneFile() {
        assertThat(cgroups.joinFiles("p/s")).containsExactly(root.resolve("p/s/cgroup.procs"));
    }

    @Test
    void readsUsageAndCounters() throws Exception {
        var directory = root.resolve("p/s");
        Files.writeString(directory.resolve("memory.peak"), "4096\n");
        Files.writeString(directory.resolve("cpu.stat"), "usage_usec 1500\nuser_usec 1000\n");
        Files.writeString(directory.resolve("memory.events"), "low 0\noom 2\noom_kill 1\n");
        Files.writeString(directory.resolve("pids.events"), "max 5\n");
        Files.writeString(directory.resolve("cgroup.procs"), "12\n34\n");
        assertThat(cgroups.usage("p/s")).isEqualTo(new Usage(new ByteSize(4096), Duration.ofNanos(1_500_000)));
        assertThat(cgroups.oomKills("p/s")).isEqualTo(1);
        assertThat(cgroups.refusedForks("p/s")).isEqualTo(5);
        assertThat(cgroups.processes("p/s")).containsExactly(12, 34);
        assertThat(cgroups.children("p")).containsExactly("p/s");
    }

    @Test
    void killingAsksTheKernelOnceAndStopsAtItsBound() throws Exception {
        assertThat(cgroups.kill("p/s", Duration.ofMillis(50))).isTrue();
        assertThat(text("cgroup.kill")).isEmpty();
        Files.writeString(root.resolve("p/s/cgroup.events"), "populated 1\n");
        assertThat(cgroups.kill("p/s", Duration.ofMillis(50))).isFalse();
        assertThat(text("cgroup.kill")).isEqualTo("1");
    }

    @Test
    void aTreeThatCannotHandControllersDownIsUnfit() throws Exception {
        Files.delete(root.resolve("cgroup.subtree_control"));
        assertThatThrownBy(() -> cgroups.create("p/s", LIMITS)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.HOST_UNFIT));
    }

    @Test
    void absentOnesAreHarmless() throws Exception {
        assertThat(cgroups.usage("p/none")).isEqualTo(Usage.NONE);
        assertThat(cgroups.kill("p/none", Duration.ofMillis(1))).isTrue();
        cgroups.remove("p/none");
        assertThat(cgroups.exists("p/none")).isFalse();
        assertThatThrownBy(() -> cgroups.exists("../etc")).isInstanceOf(IllegalArgumentException.class);
    }
}
