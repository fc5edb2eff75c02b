package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What only root can try: real cgroups, mounts, loop devices and namespaces. Nothing here is killed but through a cgroup of the test's own.
class RootTest {
    private static final CgroupLimits LIMITS = new CgroupLimits(2000, ByteSize.mib(64), 50);
    private static final Path NOWHERE = Path.of("/dev/null");

    private Home home;
    private Cgroups cgroups;
    private Reclaimer reclaimer;

    @BeforeEach
    void open() throws IOException {
        assumeThat(HostFacts.runningAsRoot()).as("skipped: needs root").isTrue();
        home = new Home(Files.createTempDirectory(Path.of("/tmp"), "ch"));
        cgroups = Cgroups.detect();
        reclaimer = new Reclaimer(home, cgroups);
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        if (home != null) {
            assertThat(Mounts.below(home.path())).isEmpty();
            assertThat(cgroups.children(home.cgroupParent())).isEmpty();
            cgroups.remove(home.cgroupParent());
            Trees.remove(home.path());
        }
    }

    private Receipt.Check release(ResourceKind kind, Object name) throws InterruptedException {
        return reclaimer.release(new Resource(kind, name.toString()));
    }

    @Test
    void forkBombsAreKilledToTheLast() throws Exception {
        var name = home.cgroup("bomb");
        cgroups.create(name, LIMITS);
        new Child(List.of("/bin/sh", "-c", "bomb() { bomb & bomb & wait; }; bomb"), Map.of("PATH", "/usr/bin:/bin"), NOWHERE, cgroups.joinFiles(name)).start();
        await(() -> cgroups.refusedForks(name) > 0);
        assertThat(cgroups.kill(name, Duration.ofSeconds(5))).isTrue();
        assertThat(release(ResourceKind.CGROUP, name).gone()).isTrue();
        assertThat(release(ResourceKind.CGROUP, name).gone()).isTrue();
    }

    @Test
    void childrenAreInTheirCgroupBeforeTheyRun() throws Exception {
        var name = home.cgroup("join");
        cgroups.create(name, LIMITS);
        var output = home.path().resolve("out");
        new Child(List.of("/bin/cat", "/proc/self/cgroup"), Map.of(), output, cgroups.joinFiles(name)).mustRun(Duration.ofSeconds(5));
        assertThat(Files.readString(output)).contains("/" + name);
        assertThat(release(ResourceKind.PROCESSES, name).gone()).isTrue();
        assertThat(release(ResourceKind.CGROUP, name).gone()).isTrue();
    }

    @Test
    void aChildThatCannotJoinDoesNotRun() throws Exception {
        var output = home.path().resolve("out");
        var exit = new Child(List.of("/bin/echo", "ran"), Map.of(), output, List.of(Path.of("/sys/fs/cgroup/none/tasks"))).run(Duration.ofSeconds(5));
        assertThat(exit.ok()).isFalse();
        assertThat(exit.tail()).doesNotContain("ran");
    }

    @Test
    void childrenOverTheirTimeAreKilledWithTheirOwn() throws Exception {
        var name = home.cgroup("late");
        cgroups.create(name, LIMITS);
        var child = new Child(List.of("/bin/sh", "-c", "sleep 100 & sleep 100"), Map.of("PATH", "/bin"), NOWHERE, cgroups.joinFiles(name));
        assertThatThrownBy(() -> child.run(Duration.ofMillis(500))).isInstanceOf(IOException.class).hasMessageContaining("did not end");
        await(() -> cgroups.processes(name).isEmpty());
        release(ResourceKind.CGROUP, name);
    }

    @Test
    void childrenInheritNoDescriptors() throws Exception {
        var output = home.path().resolve("out");
        int fd = NativeLinux.open("/etc/passwd", NativeLinux.O_RDONLY);
        Child.of(output, "/bin/ls", "/proc/self/fd").mustRun(Duration.ofSeconds(5));
        NativeLinux.close(fd);
        assertThat(Files.readString(output).lines()).containsExactly("0", "1", "2", "3");
    }

    @Test
    void networkNamespacesHaveNoWayOutAndCountIt() throws Exception {
        var namespace = new NetworkNamespace(home.path().resolve("net"));
        namespace.create();
        assertThat(namespace.refusedPackets()).isZero();
        var output = home.path().resolve("out");
        Child.of(output, "nsenter", "--net=" + namespace.path(), "bash", "-c", "echo > /dev/tcp/192.0.2.1/80; exec 3<>/dev/udp/127.0.0.1/9 && echo loopback").run(Duration.ofSeconds(5));
        assertThat(Files.readString(output)).contains("Network is unreachable").contains("loopback");
        assertThat(namespace.refusedPackets()).isPositive();
        assertThat(release(ResourceKind.NETWORK_NAMESPACE, namespace.path()).gone()).isTrue();
        assertThat(release(ResourceKind.NETWORK_NAMESPACE, namespace.path()).gone()).isTrue();
        assertThat(namespace.refusedPackets()).isZero();
    }

    @Test
    void disksHoldWhatWasAskedForWithinTwoPercent() throws Exception {
        var disks = new DiskImages(home.path().resolve("cache"));
        for (var size : List.of(ByteSize.mib(16), ByteSize.mib(100), ByteSize.gib(3))) {
            var image = home.path().resolve("disk" + size);
            var at = home.path().resolve("mnt");
            disks.create(image, size);
            Mounts.ext4(image, at);
            try {
                assertThat(Files.getFileStore(at).getUsableSpace()).isBetween(size.bytes(), size.bytes() + size.bytes() / 50);
                assertThat(reclaimer.check(new Resource(ResourceKind.LOOP_DEVICE, image.toString())).gone()).isFalse();
            } finally {
                assertThat(release(ResourceKind.MOUNT, at).gone()).isTrue();
            }
            assertThat(release(ResourceKind.LOOP_DEVICE, image).gone()).isTrue();
            assertThat(release(ResourceKind.DISK, image).gone()).isTrue();
        }
    }

    /// Loop devices are attached while others are: each gets its own.
    @Test
    void manyLoopDevicesAtOnce() throws Exception {
        var disks = new DiskImages(home.path().resolve("cache"));
        disks.create(home.path().resolve("first"), ByteSize.mib(16));
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var all = new ArrayList<Future<Boolean>>();
            for (int i = 0; i < 24; i++) {
                var image = home.path().resolve("disk" + i);
                var output = home.path().resolve("out" + i);
                all.add(threads.submit((Callable<Boolean>) () -> {
                    disks.create(image, ByteSize.mib(16));
                    var at = home.path().resolve("mnt-" + image.getFileName());
                    new Child(List.of("/bin/cat", at.resolve("mine").toString()), Map.of(), NOWHERE, output, List.of(), () -> {
                        Mounts.ext4(image, at);
                        Files.writeString(at.resolve("mine"), at.toString());
                    }).mustRun(Duration.ofSeconds(30));
                    return Files.readString(output).equals(at.toString()) && release(ResourceKind.LOOP_DEVICE, image).gone();
                }));
            }
            for (var one : all) {
                assertThat(one.get()).isTrue();
            }
        }
    }

    @Test
    void aStageIsSeenByItsChildAlone() throws Exception {
        var at = home.path().resolve("mnt");
        var output = home.path().resolve("out");
        new Child(List.of("/bin/grep", at.toString(), "/proc/self/mountinfo"), Map.of(), NOWHERE, output, List.of(), () -> Mounts.tmpfs(at, 4096)).mustRun(Duration.ofSeconds(5));
        assertThat(Files.readString(output)).contains("tmpfs");
        assertThat(Mounts.isMounted(at)).isFalse();
    }

    /// A thread that stayed inside would serve the node from there, and keep the namespace: see [OwnThread].
    @Test
    void noThreadOfOursStaysInANamespace() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var all = new ArrayList<Future<Integer>>();
            for (int i = 0; i < 40; i++) {
                var namespace = new NetworkNamespace(home.path().resolve("net" + i));
                all.add(threads.submit((Callable<Integer>) () -> {
                    namespace.create();
                    new Child(List.of("/bin/true"), Map.of(), NOWHERE, NOWHERE, List.of(), () -> { }).mustRun(Duration.ofSeconds(30));
                    namespace.refusedPackets();
                    release(ResourceKind.NETWORK_NAMESPACE, namespace.path());
                    return 0;
                }));
            }
            for (var one : all) {
                one.get();
            }
        }
        await(() -> Thread.getAllStackTraces().keySet().stream().noneMatch(thread -> thread.getName().startsWith("leaving-")));
        try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                for (String kind : List.of("ns/net", "ns/mnt")) {
                    assertThat(Files.readSymbolicLink(task.resolve(kind))).as("%s of %s", kind, Files.readString(task.resolve("comm")).strip())
                            .isEqualTo(Files.readSymbolicLink(Path.of("/proc/self").resolve(kind)));
                }
            }
        }
    }

    @Test
    void aNullDeviceSwallowsAndIsNotTheMachinesOwn() throws Exception {
        var path = home.path().resolve("null");
        NullDevice.make(path);
        Files.writeString(path, "gone");
        assertThat(Files.readString(path)).isEmpty();
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(NOWHERE))).isEqualTo("rw-rw-rw-");
    }

    @Test
    void treesAreRemovedWithoutFollowingLinksOrCrossingMounts() throws Exception {
        var outside = Files.createDirectory(home.path().resolve("outside"));
        Files.writeString(outside.resolve("precious"), "");
        var tree = Files.createDirectories(home.path().resolve("tree/deep"));
        Files.createSymbolicLink(tree.resolve("link"), outside);
        Mounts.tmpfs(tree.resolve("mounted"), 4096);
        assertThat(release(ResourceKind.DIRECTORY, home.path().resolve("tree"))).satisfies(check -> {
            assertThat(check.gone()).isFalse();
            assertThat(check.detail()).contains("still mounted");
        });
        assertThat(Files.exists(tree.resolve("link"), LinkOption.NOFOLLOW_LINKS)).isTrue();
        assertThat(release(ResourceKind.MOUNT, tree.resolve("mounted")).gone()).isTrue();
        assertThat(release(ResourceKind.DIRECTORY, home.path().resolve("tree")).gone()).isTrue();
        assertThat(outside.resolve("precious")).exists();
    }

    @Test
    void namesOutsideTheInstallationAreRefused() {
        for (var resource : List.of(
                new Resource(ResourceKind.DIRECTORY, "/etc"),
                new Resource(ResourceKind.DIRECTORY, home.path().toString()),
                new Resource(ResourceKind.DISK, home.path() + "/../x"),
                new Resource(ResourceKind.MOUNT, "/"),
                new Resource(ResourceKind.MOUNT, "relative"),
                new Resource(ResourceKind.CGROUP, "caisson-00000000/x"),
                new Resource(ResourceKind.CGROUP, home.cgroupParent()),
                new Resource(ResourceKind.PROCESSES, home.cgroupParent() + "/../.."))) {
            assertThatThrownBy(() -> reclaimer.check(resource)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void whatWasNeverMadeIsGone() throws Exception {
        for (var kind : ResourceKind.values()) {
            boolean grouped = kind == ResourceKind.CGROUP || kind == ResourceKind.PROCESSES;
            assertThat(release(kind, grouped ? home.cgroup("never") : home.path().resolve("never")).gone()).as("%s", kind).isTrue();
        }
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        var until = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("waited 10 s").isLessThan(until);
            Thread.onSpinWait();
        }
    }
}
