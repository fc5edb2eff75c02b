package dev.caisson.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.host.Cgroups;
import dev.caisson.host.GatewayNetwork;
import dev.caisson.host.Home;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Mounts;
import dev.caisson.host.NetworkPlug;
import dev.caisson.host.Reclaimer;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// With real namespaces: what is made ahead, what is given out, and what is left in the end.
@Timeout(60)
class PlugsTest {
    private Home home;
    private Reclaimer reclaimer;

    @BeforeEach
    void open() throws IOException {
        assumeThat(HostFacts.runningAsRoot()).as("skipped: needs root").isTrue();
        home = new Home(Files.createTempDirectory(Path.of("/tmp"), "cp"));
        Files.createDirectories(home.run());
        reclaimer = new Reclaimer(home, Cgroups.detect());
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        if (home != null) {
            assertThat(Mounts.below(home.path())).isEmpty();
            assertThat(there()).isEmpty();
            remove(home.path());
        }
    }

    private Plugs plugs(Set<Path> held, int first) throws Exception {
        return Plugs.open(home, reclaimer, held, first);
    }

    /// Numbers of the plugs whose namespaces are bound.
    private List<Integer> there() throws IOException {
        var numbers = new ArrayList<Integer>();
        for (Path mounted : Mounts.below(home.plugs())) {
            numbers.add(NetworkPlug.indexOf(mounted).orElseThrow());
        }
        return numbers.stream().distinct().sorted().toList();
    }

    private static void remove(Path tree) throws IOException {
        try (var files = Files.walk(tree)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static int number(Path plug) {
        return NetworkPlug.indexOf(plug).orElseThrow();
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("waited 20 s").isLessThan(until);
            LockSupport.parkNanos(1_000_000);
        }
    }

    @Test
    void somePlugsAreReadyAndTakenOnesReplaced() throws Exception {
        try (var plugs = plugs(Set.of(), 100)) {
            await(() -> there().size() == Plugs.READY);
            Path one = plugs.take();
            assertThat(Mounts.isMounted(one)).isTrue();
            await(() -> there().size() == Plugs.READY + 1);
            plugs.discard(one);
            assertThat(Mounts.isMounted(one)).isFalse();
            assertThat(one).doesNotExist();
            plugs.discard(one);
            assertThat(there()).doesNotContain(number(one));
        }
        assertThat(home.gatewayNetwork()).doesNotExist();
    }

    @Test
    void nothingIsLeftWheneverItIsClosed() throws Exception {
        for (int i = 0; i < 6; i++) {
            var plugs = plugs(Set.of(), 1000 * i);
            LockSupport.parkNanos(i * 4_000_000L);
            plugs.close();
            plugs.close();
            assertThat(there()).as("after round %s", i).isEmpty();
            assertThat(Mounts.below(home.path())).isEmpty();
        }
    }

    @Test
    void aThreadOfTheMakersStaysNowhere() throws Exception {
        plugs(Set.of(), 0).close();
        assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName).noneMatch(name -> name.equals("plugs") || name.startsWith("leaving-"));
    }

    @Test
    void numbersGoRoundAndNoTwoAreAlike() throws Exception {
        var taken = new HashSet<Path>();
        try (var plugs = plugs(Set.of(), NetworkPlug.MAX - 3)) {
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                var all = new ArrayList<Future<Path>>();
                for (int i = 0; i < 20; i++) {
                    all.add(threads.submit(plugs::take));
                }
                for (var one : all) {
                    assertThat(taken.add(one.get())).isTrue();
                }
            }
            await(() -> there().containsAll(List.of(NetworkPlug.MAX - 3, NetworkPlug.MAX - 2, NetworkPlug.MAX - 1, 0, 1)));
            for (Path one : taken) {
                plugs.discard(one);
            }
        }
    }

    @Test
    void whatAnEarlierNodeLeftIsRemovedAndWhatLivesIsKept() throws Exception {
        Path living;
        try (var network = GatewayNetwork.open(home)) {
            living = network.plug(7).namespace();
            network.plug(3);
            network.plug(9);
            // One that was being made when the node died: a name, and nothing bound to it.
            Files.createFile(home.plugs().resolve("11"));
            network.reachesAddresses(new NetworkPlug(7, living), true);
        }
        var namespace = Files.getAttribute(living, "unix:ino");
        var network = Files.getAttribute(home.gatewayNetwork(), "unix:ino");
        try (var _ = plugs(Set.of(living), 5)) {
            assertThat(home.plugs().resolve("11")).satisfiesAnyOf(path -> assertThat(path).doesNotExist(), path -> assertThat(Mounts.isMounted(path)).isTrue());
            await(() -> there().size() == Plugs.READY + 1);
            // The number of the one that lives is passed over.
            assertThat(there()).contains(7, 5, 6, 8);
            assertThat(Files.getAttribute(living, "unix:ino")).isEqualTo(namespace);
            assertThat(Files.getAttribute(home.gatewayNetwork(), "unix:ino")).isEqualTo(network);
        }
        // Its node goes, it stays, and with it the network.
        assertThat(there()).containsExactly(7);
        assertThat(Mounts.isMounted(home.gatewayNetwork())).isTrue();
        try (var plugs = plugs(Set.of(living), 7)) {
            plugs.discard(living);
        }
        assertThat(there()).isEmpty();
        assertThat(Mounts.isMounted(home.gatewayNetwork())).isFalse();
    }

    @Test
    void onAMachineWithoutTheNetworkOnlyThoseWhoNeedItAreRefused() throws Exception {
        // Something stands where it should be.
        Files.createDirectories(home.gatewayNetwork().resolve("in the way"));
        try (var plugs = plugs(Set.of(), 0)) {
            assertThat(home.gatewayUnfit()).exists();
            Path plug = plugs.take();
            assertThat(Mounts.isMounted(plug)).isTrue();
            assertThat(plugs.of(plug)).isEmpty();
            plugs.reachesAddresses(plug, true);
            assertThatThrownBy(plugs::requireWayOut).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.EGRESS_UNAVAILABLE));
            plugs.discard(plug);
        }
        remove(home.gatewayNetwork());
        try (var plugs = plugs(Set.of(), 0)) {
            plugs.requireWayOut();
            assertThat(home.gatewayUnfit()).doesNotExist();
        }
    }
}
