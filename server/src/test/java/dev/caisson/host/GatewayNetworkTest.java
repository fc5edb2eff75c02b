package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The gateway's network as the kernel plays it: real namespaces, real rules, attempts from inside by root itself (`plug.py`), and a listener of the test's own.
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class GatewayNetworkTest {
    private static final Path PROGRAM = Path.of("src/test/resources/dev/caisson/host/plug.py");
    private static final List<String> STRANGERS = List.of("203.0.113.7", "169.254.169.254", "10.0.0.1", "127.0.0.2", "100.64.255.1", "2001:db8:1::7", "fd00:ec2::254", "64:ff9b::a9fe:a9fe");
    private static int nextPlug;

    private static Home home;
    private static GatewayNetwork network;
    private static GatewaySockets sockets;
    private static Reclaimer reclaimer;
    private static final BlockingQueue<InetSocketAddress> ACCEPTED = new LinkedBlockingQueue<>();
    private static final BlockingQueue<RefusedPackets.Refused> TOLD = new LinkedBlockingQueue<>();

    private final List<NetworkPlug> plugs = new ArrayList<>();

    @BeforeAll
    static void open() throws Exception {
        assumeThat(HostFacts.runningAsRoot()).as("skipped: needs root").isTrue();
        home = new Home(Files.createTempDirectory(Path.of("/tmp"), "cg"));
        Files.createDirectories(home.run());
        reclaimer = new Reclaimer(home, Cgroups.detect());
        network = GatewayNetwork.open(home);
        sockets = GatewaySockets.open(home);
        Thread.ofVirtual().start(GatewayNetworkTest::acceptAll);
        var answering = sockets.queries();
        for (var channel : answering) {
            Thread.ofVirtual().start(() -> answerAll(channel));
        }
        Thread.ofPlatform().daemon().start(() -> {
            try {
                sockets.refused().read(TOLD::add);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    private static void acceptAll() {
        try {
            while (true) {
                var client = sockets.connections().accept();
                ACCEPTED.add((InetSocketAddress) client.getLocalAddress());
                Thread.ofVirtual().start(() -> echo(client));
            }
        } catch (IOException _) {
            // Closed.
        }
    }

    /// Says back where the other side wanted to go, as often as it says something.
    private static void echo(SocketChannel client) {
        try (client) {
            var said = ByteBuffer.allocate(100);
            while (client.read(said.clear()) >= 0) {
                var local = (InetSocketAddress) client.getLocalAddress();
                client.write(ByteBuffer.wrap((local.getAddress().getHostAddress() + "," + local.getPort()).getBytes(StandardCharsets.US_ASCII)));
            }
        } catch (IOException _) {
            // Reset.
        }
    }

    private static void answerAll(java.nio.channels.DatagramChannel channel) {
        try {
            var question = ByteBuffer.allocate(512);
            while (true) {
                var source = (InetSocketAddress) channel.receive(question.clear());
                channel.send(ByteBuffer.wrap(source.getAddress().getHostAddress().getBytes(StandardCharsets.US_ASCII)), source);
            }
        } catch (IOException _) {
            // Closed.
        }
    }

    @BeforeEach
    void forget() {
        ACCEPTED.clear();
        TOLD.clear();
    }

    @AfterEach
    void unplug() throws Exception {
        for (var plug : plugs) {
            remove(plug);
        }
    }

    @AfterAll
    static void nothingIsLeft() throws Exception {
        if (home != null) {
            sockets.close();
            network.close();
            GatewayNetwork.removeUnused(home);
            assertThat(Mounts.below(home.path())).isEmpty();
            assertThat(home.run()).isDirectoryNotContaining(file -> Files.isRegularFile(file));
            Trees.remove(home.path());
        }
    }

    private NetworkPlug plug() throws Exception {
        var plug = network.plug(nextPlug++);
        plugs.add(plug);
        assertThat(inside(plug, "prime!")).containsExactly("ready");
        return plug;
    }

    private static void remove(NetworkPlug plug) throws InterruptedException {
        assertThat(reclaimer.release(new Resource(ResourceKind.NETWORK_NAMESPACE, plug.namespace().toString())).gone()).isTrue();
    }

    private static ProcessBuilder program(NetworkPlug plug, String... words) {
        var command = new ArrayList<>(List.of("nsenter", "--net=" + plug.namespace(), "python3", PROGRAM.toString()));
        command.addAll(Arrays.asList(words));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    }

    /// What came of each attempt.
    private static List<String> inside(NetworkPlug plug, String... words) throws IOException, InterruptedException {
        var process = program(plug, words).start();
        process.getOutputStream().close();
        var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        assertThat(process.waitFor()).as("status after %s", said).isZero();
        return said;
    }

    private static String run(NetworkPlug plug, String... command) throws IOException, InterruptedException {
        var words = new ArrayList<>(List.of("nsenter", "--net=" + plug.namespace()));
        words.addAll(Arrays.asList(command));
        var process = new ProcessBuilder(words).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return said;
    }

    private static String[] to(List<String> addresses, String what) {
        return addresses.stream().map(address -> what.formatted(address)).toArray(String[]::new);
    }

    /// The next that the kernel told of that plug; without what [#plug] itself tried.
    private static RefusedPackets.Packet told(NetworkPlug plug) throws InterruptedException {
        while (true) {
            var refused = TOLD.poll(5, TimeUnit.SECONDS);
            assertThat(refused).as("told within 5 s").isNotNull();
            if (refused.sandbox().equals(plug.address()) && refused.packet().port() != 9) {
                return refused.packet();
            }
        }
    }

    @Test
    void aPlugHasItsAddressesAndRoutesAndNobodyElseBesideIt() throws Exception {
        var plug = plug();
        String four = plug.address().getHostAddress();
        assertThat(run(plug, "ip", "-o", "-4", "addr", "show", "dev", "eth0")).contains(four + "/30");
        assertThat(run(plug, "ip", "-o", "-6", "addr", "show", "dev", "eth0").lines()).singleElement().satisfies(line ->
                assertThat(line).contains("/126").contains("scope global").doesNotContain("tentative"));
        assertThat(run(plug, "ip", "route")).contains("default via").contains("dev eth0").hasLineCount(2);
        assertThat(run(plug, "ip", "-6", "route", "show", "default")).contains("default via").hasLineCount(1);
        assertThat(run(plug, "ip", "-o", "link").lines()).hasSize(2);
        assertThat(InetAddress.ofLiteral(four)).isNotEqualTo(plug().address());
    }

    @Test
    void connectionsToAddressesAreRefusedAtOnceAndCountedExactly() throws Exception {
        var plug = plug();
        var quiet = plug();
        long before = network.refusedPackets(plug);
        long quietBefore = network.refusedPackets(quiet);
        var reachable = STRANGERS.stream().filter(address -> !address.startsWith("127.")).toList();
        assertThat(inside(plug, to(reachable, "tcp!%s,443"))).hasSize(reachable.size()).containsOnly("ECONNREFUSED at-once");
        assertThat(network.refusedPackets(plug) - before).isEqualTo(reachable.size());
        assertThat(network.refusedPackets(quiet)).isEqualTo(quietBefore);
        assertThat(ACCEPTED).isEmpty();
        for (String address : reachable) {
            assertThat(told(plug)).isEqualTo(new RefusedPackets.Packet(address.contains(":") ? plug.address6() : plug.address(), InetAddress.ofLiteral(address), 6, 443));
        }
    }

    @Test
    void namesAndTheResolverReachTheListenerWithWhereTheyWantedToGo() throws Exception {
        var plug = plug();
        long before = network.refusedPackets(plug);
        assertThat(inside(plug, "tcp!198.18.0.1,80", "tcp!198.19.255.254,65535", "tcp!fdca:1550:5::c612:1,443", "tcp!" + GatewayNetwork.RESOLVER + ",53", "tcp!" + GatewayNetwork.RESOLVER6 + ",53",
                "tcp!198.18.0.1,15001")).containsExactly("198.18.0.1,80 at-once", "198.19.255.254,65535 at-once", "fdca:1550:5:0:0:0:c612:1,443 at-once", "100.127.255.53,53 at-once",
                "fdca:1550:ffff:0:0:0:0:53,53 at-once", "198.18.0.1,15001 at-once");
        assertThat(inside(plug, "udp!" + GatewayNetwork.RESOLVER + ",53", "udp!" + GatewayNetwork.RESOLVER6 + ",53"))
                .containsExactly(plug.address().getHostAddress(), plug.address6().getHostAddress());
        assertThat(network.refusedPackets(plug)).isEqualTo(before);
    }

    @Test
    void addressesAreReachedByWhomMayReachThemAndNoLongerAtOnce() throws Exception {
        var plug = plug();
        var other = plug();
        network.reachesAddresses(plug, true);
        var outside = List.of("203.0.113.7", "169.254.169.254", "2001:db8:1::7");
        assertThat(inside(plug, to(outside, "tcp!%s,443"))).containsExactly("203.0.113.7,443 at-once", "169.254.169.254,443 at-once", "2001:db8:1:0:0:0:0:7,443 at-once");
        assertThat(inside(other, to(outside, "tcp!%s,443"))).containsOnly("ECONNREFUSED at-once");
        // Other sandboxes and the gateway's own are reached by nobody.
        var neighbours = List.of(other.address().getHostAddress(), other.address6().getHostAddress(), InetAddress.getByAddress(plug.gatewayBytes()).getHostAddress(), "100.127.255.54", "fdca:1550:ffff::54", "fdca:1550::1");
        assertThat(inside(plug, to(neighbours, "tcp!%s,443"))).containsOnly("ECONNREFUSED at-once");
        var process = program(plug, "keep!203.0.113.7,80").start();
        try (BufferedReader out = process.inputReader()) {
            assertThat(out.readLine()).isEqualTo("open");
            network.reachesAddresses(plug, false);
            assertThat(out.readLine()).isEqualTo("ECONNRESET");
        }
        assertThat(inside(plug, to(outside, "tcp!%s,443"))).containsOnly("ECONNREFUSED at-once");
    }

    @Test
    void otherProtocolsAreRefusedAndCounted() throws Exception {
        var plug = plug();
        network.reachesAddresses(plug, true);
        long before = network.refusedPackets(plug);
        assertThat(inside(plug, "udp!203.0.113.7,53", "udp!2001:db8:1::7,443", "udp!198.18.0.1,443", "udp!" + GatewayNetwork.RESOLVER + ",5353", "udp!" + GatewayNetwork.RESOLVER6 + ",123"))
                .containsOnly("ECONNREFUSED");
        assertThat(network.refusedPackets(plug) - before).isEqualTo(5);
        // ICMP, IGMP's neighbour GRE, SCTP, ICMP of IPv6.
        assertThat(inside(plug, "raw!203.0.113.7,1", "raw!203.0.113.7,47", "raw!203.0.113.7,132", "raw!2001:db8:1::7,58", "raw!" + GatewayNetwork.RESOLVER + ",1")).containsOnly("sent");
        await(() -> network.refusedPackets(plug) - before == 10);
        assertThat(ACCEPTED).isEmpty();
        var protocols = new ArrayList<String>();
        for (int i = 0; i < 10; i++) {
            var packet = told(plug);
            protocols.add(packet.protocol() + " " + packet.port());
        }
        assertThat(protocols).containsExactlyInAnyOrder("17 53", "17 443", "17 443", "17 5353", "17 123", "1 0", "47 0", "132 0", "58 0", "1 0");
    }

    @Test
    void nobodyIsBelievedToBeSomebodyElse() throws Exception {
        var plug = plug();
        var neighbour = plug();
        network.reachesAddresses(plug, true);
        long before = network.refusedPackets(plug);
        long neighbourBefore = network.refusedPackets(neighbour);
        String victim = neighbour.address().getHostAddress();
        String victim6 = neighbour.address6().getHostAddress();
        String gateway = InetAddress.getByAddress(plug.gatewayBytes()).getHostAddress();
        String gateway6 = InetAddress.getByAddress(plug.gatewayBytes6()).getHostAddress();
        var frames = List.of("syn!" + victim + ",198.18.0.1,80", "syn!" + victim6 + ",fdca:1550:5::c612:1,80", "syn!" + gateway + ",198.18.0.1,80", "syn!" + gateway6 + ",fdca:1550:5::c612:1,80",
                "syn!203.0.113.9,198.18.0.1,80", "syn!198.18.0.1,198.18.0.2,80", "syn!" + GatewayNetwork.RESOLVER + ",198.18.0.1,80", "syn!127.0.0.1,198.18.0.1,80", "syn!::1,fdca:1550:5::c612:1,80",
                "syn!::ffff:" + victim + ",fdca:1550:5::c612:1,80", "syn!fe80::1,fdca:1550:5::c612:1,80", "ask!" + victim + "," + GatewayNetwork.RESOLVER + ",53", "ask!" + victim6 + "," + GatewayNetwork.RESOLVER6 + ",53");
        assertThat(inside(plug, frames.toArray(String[]::new))).hasSize(frames.size()).containsOnly("sent");
        // The kernel itself drops what comes from a loopback address or is mapped, before or behind the rules.
        await(() -> network.refusedPackets(plug) - before >= frames.size() - 3);
        assertThat(inside(plug, "tcp!198.18.0.1,80")).containsExactly("198.18.0.1,80 at-once");
        assertThat(ACCEPTED).as("the honest one").hasSize(1);
        assertThat(network.refusedPackets(neighbour)).isEqualTo(neighbourBefore);
        var sources = List.of(victim, victim6, "203.0.113.9");
        for (String source : sources) {
            var address = InetAddress.ofLiteral(source);
            await(() -> TOLD.stream().anyMatch(refused -> refused.packet().source().equals(address)));
            assertThat(TOLD).filteredOn(refused -> refused.packet().source().equals(address) && refused.packet().port() != 9).as("told of the one that sent it")
                    .extracting(RefusedPackets.Refused::sandbox).containsOnly(plug.address());
        }
    }

    @Test
    void theListenersOwnPortIsNotReached() throws Exception {
        var plug = plug();
        for (boolean addresses : List.of(false, true)) {
            network.reachesAddresses(plug, addresses);
            assertThat(inside(plug, "tcp!" + InetAddress.getByAddress(plug.gatewayBytes()).getHostAddress() + ",15001", "tcp!" + InetAddress.getByAddress(plug.gatewayBytes6()).getHostAddress() + ",15001",
                    "tcp!" + GatewayNetwork.RESOLVER + ",15001", "tcp!" + GatewayNetwork.RESOLVER6 + ",15001", "tcp!" + GatewayNetwork.RESOLVER + ",80")).containsOnly("ECONNREFUSED at-once");
        }
        assertThat(ACCEPTED).isEmpty();
    }

    @Test
    void nothingGoesFromOneSandboxToAnother() throws Exception {
        var plug = plug();
        var neighbour = plug();
        network.reachesAddresses(plug, true);
        network.reachesAddresses(neighbour, true);
        var serving = program(neighbour, "serve!8000").start();
        try (BufferedReader out = serving.inputReader()) {
            assertThat(out.readLine()).isEqualTo("listening");
            String four = neighbour.address().getHostAddress();
            String six = neighbour.address6().getHostAddress();
            String self = plug.address().getHostAddress();
            String self6 = plug.address6().getHostAddress();
            assertThat(inside(plug, "tcp!" + four + ",8000", "tcp!" + six + ",8000", "udp!" + four + ",8000", "udp!" + six + ",8000")).allMatch(said -> said.startsWith("ECONNREFUSED"));
            assertThat(inside(plug, "syn!" + self + "," + four + ",8000", "syn!" + self6 + "," + six + ",8000", "ask!" + self + "," + four + ",8000", "ask!" + self6 + "," + six + ",8000")).containsOnly("sent");
            // The positive twins: it hears its own.
            assertThat(inside(neighbour, "tcp!127.0.0.1,8000").getFirst()).doesNotContain("REFUSED");
            serving.getOutputStream().close();
            assertThat(out.lines().toList()).containsExactly("visit 127.0.0.1", "done");
        }
    }

    /// The kernel's table of neighbours is one for the whole machine: whoever fills it silences others.
    @Test
    void aSandboxCannotFillTheTableOfNeighbours() throws Exception {
        var plug = plug();
        String gateway = InetAddress.getByAddress(plug.gatewayBytes()).getHostAddress();
        assertThat(inside(plug, "neighbours!" + gateway + "," + InetAddress.getByAddress(plug.gatewayBytes6()).getHostAddress() + ",300")).containsExactly("sent");
        assertThat(inside(plug, "tcp!198.18.0.1,80", "tcp!fdca:1550:5::c612:1,80")).allMatch(said -> said.endsWith("at-once"));
        var process = new ProcessBuilder("nsenter", "--net=" + home.gatewayNetwork(), "ip", "neigh", "show", "dev", plug.link()).start();
        assertThat(process.inputReader().lines().filter(line -> !line.contains("FAILED")).toList()).hasSizeBetween(2, 8);
    }

    @Test
    void aNumberThatIsTakenIsNotGivenTwice() throws Exception {
        var plug = plug();
        assertThat(inside(plug, "tcp!203.0.113.7,80")).containsExactly("ECONNREFUSED at-once");
        long counted = network.refusedPackets(plug);
        assertThat(counted).isPositive();
        assertThatThrownBy(() -> network.plug(plug.index())).isInstanceOf(FileAlreadyExistsException.class);
        assertThat(network.refusedPackets(plug)).as("what the living one was refused").isEqualTo(counted);
        // Its namespace's name is gone, but somebody is still in it.
        var inside = program(plug, "serve!8000").start();
        try (BufferedReader out = inside.inputReader()) {
            assertThat(out.readLine()).isEqualTo("listening");
            remove(plug);
            assertThatThrownBy(() -> network.plug(plug.index())).isInstanceOfSatisfying(IOException.class, e -> assertThat(GatewayNetwork.isTaken(e)).isTrue());
            assertThat(network.refusedPackets(plug)).isEqualTo(counted);
            inside.getOutputStream().close();
            assertThat(out.lines().toList()).containsExactly("done");
        }
        inside.waitFor();
        remove(plug);
        // Once it is over, the number is free, and nothing was refused to the new one.
        await(() -> {
            try {
                network.plug(plug.index());
                return true;
            } catch (IOException e) {
                assertThat(GatewayNetwork.isTaken(e)).as("%s", e).isTrue();
                remove(plug);
                return false;
            }
        });
        assertThat(network.refusedPackets(plug)).isZero();
    }

    @Test
    void anUnusedNetworkGoesAndAUsedOneStays() throws Exception {
        plug();
        GatewayNetwork.removeUnused(home);
        assertThat(Mounts.isMounted(home.gatewayNetwork())).isTrue();
        var other = new Home(Files.createTempDirectory(Path.of("/tmp"), "cg"));
        try {
            Files.createDirectories(other.run());
            try (var _ = GatewayNetwork.open(other)) {
                assertThat(Mounts.isMounted(other.gatewayNetwork())).isTrue();
            }
            GatewayNetwork.removeUnused(other);
            GatewayNetwork.removeUnused(other);
            assertThat(Mounts.below(other.path())).isEmpty();
            assertThat(other.gatewayNetwork()).doesNotExist();
            // Nobody makes it by asking what was refused there.
            assertThat(GatewayNetwork.refusedPackets(other, other.plugs().resolve("3"))).isZero();
            assertThat(Mounts.below(other.path())).isEmpty();
        } finally {
            Trees.remove(other.path());
        }
    }

    @Test
    void openedByManyAtOnceItIsMadeOnce() throws Exception {
        var other = new Home(Files.createTempDirectory(Path.of("/tmp"), "cg"));
        Files.createDirectories(other.run());
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var all = new ArrayList<Future<GatewayNetwork>>();
            for (int i = 0; i < 4; i++) {
                all.add(threads.submit(() -> GatewayNetwork.open(other)));
            }
            for (int i = 0; i < all.size(); i++) {
                // Made through any of them, known to all.
                var made = all.get(i).get().plug(i);
                for (var each : all) {
                    assertThat(each.get().refusedPackets(made)).isZero();
                    each.get().reachesAddresses(made, true);
                }
            }
            for (int i = 0; i < all.size(); i++) {
                var plug = NetworkPlug.of(other, i);
                assertThat(new Reclaimer(other, Cgroups.detect()).release(new Resource(ResourceKind.NETWORK_NAMESPACE, plug.namespace().toString())).gone()).isTrue();
                all.get(i).get().close();
            }
            GatewayNetwork.removeUnused(other);
            assertThat(Mounts.below(other.path())).isEmpty();
        } finally {
            Trees.remove(other.path());
        }
    }

    /// See [OwnThread].
    @Test
    void noThreadStaysInside() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var all = new ArrayList<Future<NetworkPlug>>();
            for (int i = 0; i < 16; i++) {
                int index = nextPlug++;
                all.add(threads.submit(() -> network.plug(index)));
            }
            for (var one : all) {
                plugs.add(one.get());
            }
        }
        assertThat(namespacesOfThreads()).hasSize(1);
    }

    private static List<Path> namespacesOfThreads() throws Exception {
        await(() -> Thread.getAllStackTraces().keySet().stream().noneMatch(thread -> thread.getName().startsWith("leaving-")));
        var found = new ArrayList<Path>();
        try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                found.add(Files.readSymbolicLink(task.resolve("ns/net")));
            }
        }
        return found.stream().distinct().toList();
    }

    @Test
    void whoIsInterruptedMeanwhileStillHasWhatWasMade() throws Exception {
        int index = nextPlug++;
        var caller = Thread.currentThread();
        var interrupting = Thread.ofPlatform().start(() -> {
            // While it is being made, or before, or after: whichever, nothing is lost.
            caller.interrupt();
        });
        NetworkPlug made;
        try {
            made = network.plug(index);
        } catch (InterruptedException _) {
            made = null;
        }
        interrupting.join();
        boolean there = Mounts.isMounted(NetworkPlug.of(home, index).namespace());
        assertThat(there).isEqualTo(made != null);
        remove(NetworkPlug.of(home, index));
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        var until = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("waited 10 s").isLessThan(until);
            Thread.onSpinWait();
        }
    }
}
