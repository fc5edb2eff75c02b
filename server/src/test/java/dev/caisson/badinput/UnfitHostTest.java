package dev.caisson.badinput;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.host.Mounts;
import dev.caisson.testing.Launcher;
import dev.caisson.testing.TestHome;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What is wrong with the machine, told by the command line: by `caisson run`, which starts and ends all processes itself, and by `caisson up`.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class UnfitHostTest {
    private static final String[] RUN = {"run", "-q", "--", "echo", "ok"};

    private static void refused(Launcher.Ran ran, String... says) {
        assertThat(ran.err()).startsWith("caisson: ").contains(says).endsWith(")\n").hasLineCount(1);
        assertThat(ran.status()).isEqualTo(125);
        assertThat(ran.out()).isEmpty();
    }

    private static void works(Launcher caisson) throws Exception {
        var ran = caisson.run(RUN);
        assertThat(ran.err()).as("the node's log: " + Files.readString(caisson.home().log().resolve("node.log"))).isEmpty();
        assertThat(ran.text()).isEqualTo("ok\n");
    }

    /// No process, sandbox, mount or file of the attempt is left.
    private static void nothingIsLeftIn(TestHome home) throws Exception {
        assertThat(home.leftovers().after(Duration.ofSeconds(5))).isEmpty();
        try (var files = Files.list(home.home().path().resolve("run"))) {
            assertThat(files.map(file -> file.getFileName().toString())).as("what is in run/").isSubsetOf("s", "p", "start.lock", "users.lock", "keep.sh", "new.key");
        }
        try (var processes = Files.list(Path.of("/proc"))) {
            assertThat(processes.filter(process -> names(process, home.path().toString()))).as("processes of this home").isEmpty();
        }
    }

    private static boolean names(Path process, String home) {
        try {
            return Files.readString(process.resolve("cmdline"), java.nio.charset.StandardCharsets.ISO_8859_1).contains("--home\0" + home + "\0");
        } catch (IOException _) {
            return false;
        }
    }

    @Test
    void aPortThatIsTakenIsNamed() throws Exception {
        try (var home = TestHome.make(); var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            var caisson = Launcher.on(home.home());
            for (var words : List.of(List.of("up", "--detach"), List.of("up"))) {
                var all = new java.util.ArrayList<>(words);
                all.addAll(List.of("--listen", "127.0.0.1:" + taken.getLocalPort()));
                refused(caisson.run(all.toArray(String[]::new)), "cannot listen on 127.0.0.1:" + taken.getLocalPort() + ": Address already in use", "choose another with --listen");
                nothingIsLeftIn(home);
            }
            // RFC 5737: nobody's.
            refused(caisson.run("up", "--detach", "--listen", "192.0.2.1:7070"), "cannot listen on 192.0.2.1:7070", "name an address of this machine");
            nothingIsLeftIn(home);
        }
    }

    @Test
    void aStoreOfANewerVersionOrADamagedOneIsLeftAsItIs() throws Exception {
        try (var home = TestHome.make()) {
            var caisson = Launcher.on(home.home());
            works(caisson);
            for (String name : List.of("node/node.db", "front/front.db")) {
                Path store = home.path().resolve(name);
                int version = version(store, 99);
                refused(caisson.run(RUN), store.toString(), "99", "start the");
                nothingIsLeftIn(home);
                assertThat(version(store, version)).isEqualTo(99);

                byte[] whole = Files.readAllBytes(store);
                byte[] damaged = whole.clone();
                java.util.Arrays.fill(damaged, 0, 4096, (byte) 'x');
                Files.write(store, damaged);
                refused(caisson.run(RUN), store.toString(), "damaged", "restore a copy");
                nothingIsLeftIn(home);
                Files.write(store, whole);
            }
            works(caisson);
        }
    }

    /// Sets a store's version and answers what it was.
    private static int version(Path store, int version) throws SQLException {
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + store); var statement = connection.createStatement()) {
            try (var row = statement.executeQuery("pragma user_version")) {
                int before = row.getInt(1);
                statement.execute("pragma user_version = " + version);
                return before;
            }
        }
    }

    @Test
    void aCorruptedImageIsRefusedWithWhatBuildsItAgain() throws Exception {
        try (var home = TestHome.make()) {
            var caisson = Launcher.on(home.home());
            try (var blobs = Files.list(home.home().image().resolve("blobs/sha256"))) {
                for (Path blob : blobs.toList()) {
                    // Another file in its place: it is a link to the one of the machine's own installation.
                    Files.delete(blob);
                    Files.writeString(blob, "not what its name says");
                }
            }
            refused(caisson.run(RUN), "the image of template base is corrupted", "caisson template build --again base");
            nothingIsLeftIn(home);
        }
    }

    /// A file system of 12 MiB holds all of an installation but its programs and images.
    @Test
    void aFullDiskIsNamedAndNothingIsHalfMade() throws Exception {
        try (var home = TestHome.onDiskOf(12 << 20)) {
            var caisson = Launcher.on(home.home());
            works(caisson);
            var filler = fill(home);
            refused(caisson.run(RUN), "No space left on device", "free some space");
            refused(caisson.run("up", "--detach", "--listen", "127.0.0.1:0"), "No space left on device", "free some space");
            nothingIsLeftIn(home);
            // Before anything is built, too.
            Path current = home.path().resolve("lib/current");
            Path aside = Files.move(current, home.path().resolve("lib/aside"));
            var unprepared = caisson.run(RUN);
            assertThat(unprepared.status()).isEqualTo(125);
            assertThat(unprepared.err()).contains("error: preparing " + home.path() + " failed", "free some space");
            Files.move(aside, current, StandardCopyOption.REPLACE_EXISTING);
            Files.delete(filler);
            works(caisson);
            whileItIsUp(home, caisson);
        }
    }

    private static void whileItIsUp(TestHome home, Launcher caisson) throws Exception {
        assertThat(caisson.run("up", "--detach", "--listen", "127.0.0.1:0").status()).isZero();
        try {
            var filler = fill(home);
            refused(caisson.run(RUN), "the disk that holds " + home.path() + "/node/node.db is full", "free some space");
            assertThat(caisson.run("ps", "-q").text()).isEmpty();
            assertThat(home.leftovers().after(Duration.ofSeconds(5))).isEmpty();
            Files.delete(filler);
            works(caisson);
        } finally {
            assertThat(caisson.run("down").status()).isZero();
        }
        nothingIsLeftIn(home);
    }

    private static Path fill(TestHome home) throws IOException {
        Path filler = home.path().resolve("filler");
        try (var out = Files.newOutputStream(filler)) {
            byte[] block = new byte[4096];
            while (true) {
                out.write(block);
            }
        } catch (IOException _) {
            return filler;
        }
    }

    /// In a mount namespace of its own, where cgroups are not there, or may only be read.
    @ParameterizedTest
    @ValueSource(strings = {"umount --lazy $point", "mount -o remount,bind,ro $point"})
    void withoutCgroupsNothingStarts(String what) throws Exception {
        var without = List.of("unshare", "--mount", "--propagation", "private", "bash", "-c",
                "for point in $(awk '$5 ~ \"^/sys/fs/cgroup\" && / - cgroup2? / { print $5 }' /proc/self/mountinfo | sort -r); do " + what + "; done; exec \"$@\"", "bash");
        try (var home = TestHome.make()) {
            var caisson = Launcher.on(home.home());
            refused(caisson.in(without).run(RUN), "cgroup", what.startsWith("umount") ? "mount cgroup2 at /sys/fs/cgroup" : "mounted read-write");
            nothingIsLeftIn(home);
            var doctor = caisson.in(without).run("doctor");
            assertThat(doctor.text()).contains("no    cgroups");
            assertThat(doctor.status()).isEqualTo(1);
            works(caisson);
        }
    }

    /// The way to a home does not make another home of it: images are mounted once, and found again.
    @Test
    void aHomeBehindASymbolicLinkIsTheSameHome() throws Exception {
        try (var home = TestHome.make()) {
            var caisson = Launcher.on(home.home());
            Path link = Files.createSymbolicLink(Path.of(home.path() + "-link"), home.path());
            try {
                works(caisson.with("CAISSON_HOME", link.toString()));
                works(caisson);
                works(caisson.with("CAISSON_HOME", link.toString()));
                assertThat(Mounts.below(home.path())).hasSize(1);
            } finally {
                Files.delete(link);
            }
        }
    }
}
