package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.link.Link;
import dev.caisson.link.LinkLimits;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What the node tells a gateway over a real socket, however often that one dies. The gateway here writes down what it hears.
@Timeout(60)
class GatewayLinkTest {
    private static final Random RANDOM = new Random(1);

    @TempDir
    private Path directory;

    private GatewayLink link;
    private Hearing gateway;

    /// A gateway that knows whom it was told of.
    private static final class Hearing implements AutoCloseable {
        private final Path socket;
        private final ServerSocketChannel server;
        private final List<Link> links = new CopyOnWriteArrayList<>();
        /// `CALL SANDBOX[ REQUESTS-A-SECOND]`, or `KEEP_ONLY COUNT`.
        final List<String> heard = new CopyOnWriteArrayList<>();
        final Set<String> known = ConcurrentHashMap.newKeySet();
        final Set<String> refused = ConcurrentHashMap.newKeySet();
        volatile boolean silent;
        private volatile boolean closed;

        Hearing(Path socket) throws IOException {
            this.socket = socket;
            Files.deleteIfExists(socket);
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            server.bind(UnixDomainSocketAddress.of(socket));
            Thread.ofVirtual().start(this::acceptAll);
        }

        private void acceptAll() {
            try {
                while (true) {
                    var one = Link.start(server.accept(), Link.Side.LISTENED, LinkLimits.INTERNAL, this::answer, "hearing");
                    links.add(one);
                    if (closed) {
                        one.close();
                    }
                }
            } catch (IOException _) {
                // Closed.
            }
        }

        private void answer(LinkStream stream, byte[] opening) throws IOException, InterruptedException {
            var ask = JsonObject.parse(opening);
            if (silent) {
                heard.add("unanswered");
                return;
            }
            var call = ask.word("call", GatewayCall.class);
            switch (call) {
                case REGISTER -> {
                    var registration = RegistrationForm.FORM.readKeys(ask);
                    String id = registration.sandbox().value();
                    heard.add("REGISTER " + id + " " + registration.egress().budget().requestsPerSecond());
                    if (refused.contains(id)) {
                        stream.sendLast(Json.object(out -> {
                            out.writeName("failure");
                            Forms.FAILURE.write(new Failure(Failure.Code.BAD_REQUEST, "no", "never"), out);
                        }));
                        return;
                    }
                    known.add(id);
                }
                case FORGET -> {
                    heard.add("FORGET " + ask.text("sandbox"));
                    known.remove(ask.text("sandbox"));
                }
                case KEEP_ONLY -> {
                    var living = ask.texts("sandboxes").orElseThrow();
                    heard.add("KEEP_ONLY " + living.size());
                    known.retainAll(living);
                }
                case FLOWS -> {
                    var flow = new Flow(1, Instant.EPOCH, Instant.EPOCH, "a.example", "", 1, "tcp", "", "x", true, "", 0, 0, 1);
                    for (int i = 0; i < ask.whole("after", 0, 100); i++) {
                        stream.send(Json.object(out -> Json.writeList(out, "flows", List.of(flow, flow), Forms.FLOW)));
                    }
                }
            }
            stream.sendLast(new byte[] {'{', '}'});
        }

        /// As kill -9 does.
        @Override
        public void close() throws IOException {
            closed = true;
            server.close();
            Files.deleteIfExists(socket);
            links.forEach(Link::close);
        }
    }

    @BeforeEach
    void open() throws Exception {
        gateway = new Hearing(socket());
        link = GatewayLink.to(socket());
    }

    @AfterEach
    void close() throws Exception {
        link.close();
        gateway.close();
    }

    private Path socket() {
        return directory.resolve("gateway.sock");
    }

    private void restart() throws Exception {
        gateway.close();
        gateway = new Hearing(socket());
    }

    private static Registration registration(int number, int rate) {
        var egress = new Egress(Egress.NONE.layers(), new EgressBudget(1, new ByteSize(0), rate), List.of());
        return new Registration(SandboxId.random(RANDOM), InetAddress.ofLiteral("100.64.0." + number), InetAddress.ofLiteral("fdca:1550:1::" + number), Instant.EPOCH, egress);
    }

    private static Registration withRate(Registration registration, int rate) {
        return registration.withEgress(new Egress(Egress.NONE.layers(), new EgressBudget(1, new ByteSize(0), rate), List.of()));
    }

    private static void await(BooleanSupplier condition) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waited 10 s").isLessThan(until);
            Thread.onSpinWait();
        }
    }

    @Test
    void nothingIsForgottenBeforeAllThatLiveAreKnown() throws Exception {
        var earlier = registration(1, 10);
        gateway.known.add(earlier.sandbox().value());
        // A node that was started again: the gateway has gone on without it.
        link.registerSoon(earlier);
        link.start();
        await(() -> gateway.heard.size() == 2);
        assertThat(gateway.heard).containsExactly("KEEP_ONLY 1", "REGISTER " + earlier.sandbox() + " 10");
        assertThat(gateway.known).containsExactly(earlier.sandbox().value());
    }

    @Test
    void whoIsRegisteredIsKnownWhenTheCallReturns() throws Exception {
        link.start();
        var one = registration(1, 10);
        link.register(one);
        assertThat(gateway.known).containsExactly(one.sandbox().value());
        link.register(withRate(one, 20));
        assertThat(gateway.heard.getLast()).isEqualTo("REGISTER " + one.sandbox() + " 20");
        link.forget(one.sandbox());
        assertThat(gateway.known).isEmpty();
        assertThat(link.flows(one.sandbox(), 0, 10)).isEmpty();
        assertThat(link.flows(one.sandbox(), 30, 10)).as("in parts").hasSize(60);
    }

    @Test
    void aGatewayThatWasStartedAgainIsToldOfAllBeforeAnythingElse() throws Exception {
        link.start();
        var all = new ArrayList<Registration>();
        for (int i = 1; i <= 20; i++) {
            var one = registration(i, i);
            all.add(one);
            link.register(one);
        }
        link.register(withRate(all.getFirst(), 77));
        link.forget(all.getLast().sandbox());
        for (int round = 0; round < 5; round++) {
            restart();
            var more = registration(100 + round, 500);
            link.register(more);
            var heard = List.copyOf(gateway.heard);
            assertThat(heard.getFirst()).isIn("KEEP_ONLY " + (19 + round), "KEEP_ONLY " + (20 + round));
            assertThat(heard.subList(1, 20)).contains("REGISTER " + all.getFirst().sandbox() + " 77", "REGISTER " + all.get(18).sandbox() + " 19");
            assertThat(heard.getLast()).isEqualTo("REGISTER " + more.sandbox() + " 500");
            assertThat(gateway.known).hasSize(20 + round).doesNotContain(all.getLast().sandbox().value());
        }
    }

    @Test
    void whileItIsAwayACallerWaitsATimeAndIsToldAfterwards() throws Exception {
        link.start();
        gateway.close();
        var one = registration(1, 10);
        long began = System.nanoTime();
        assertThatThrownBy(() -> link.register(one)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.EGRESS_UNAVAILABLE));
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isBetween(Duration.ofMillis(9_500), Duration.ofSeconds(13));
        gateway = new Hearing(socket());
        await(() -> gateway.known.contains(one.sandbox().value()));
    }

    @Test
    void aCallerWhoWaitsGoesOnWhenItComesBack() throws Exception {
        link.start();
        var one = registration(1, 10);
        link.register(one);
        gateway.close();
        var waiting = new FutureTask<>(() -> link.register(withRate(one, 20)));
        var flows = new FutureTask<>(() -> link.flows(one.sandbox(), 0, 1));
        Thread.ofVirtual().start(waiting);
        Thread.ofVirtual().start(flows);
        gateway = new Hearing(socket());
        assertThat(waiting.get(10, TimeUnit.SECONDS)).isEmpty();
        assertThat(flows.get(10, TimeUnit.SECONDS)).isEmpty();
        assertThat(gateway.heard.getLast()).isEqualTo("REGISTER " + one.sandbox() + " 20");
    }

    @Test
    void whatIsForgottenMeanwhileIsNobodysGhost() throws Exception {
        link.start();
        link.register(registration(1, 1));
        var forgotten = new ArrayList<SandboxId>();
        for (int i = 0; i < 200; i++) {
            var one = registration(2, 10);
            link.registerSoon(one);
            link.forget(one.sandbox());
            forgotten.add(one.sandbox());
        }
        // Whatever was under way has been told before this.
        var last = registration(3, 1);
        link.registerSoon(last);
        await(() -> gateway.known.contains(last.sandbox().value()));
        assertThat(gateway.known).hasSize(2);
        restart();
        await(() -> gateway.known.size() == 2);
        assertThat(gateway.heard).noneMatch(heard -> forgotten.stream().anyMatch(id -> heard.contains(id.value())));
    }

    @Test
    void whoIsForgottenWaitsNoLonger() throws Exception {
        link.start();
        gateway.close();
        var one = registration(1, 1);
        var waiting = new FutureTask<>(() -> link.register(one));
        Thread.ofVirtual().start(waiting);
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (!waiting.isDone()) {
            assertThat(System.nanoTime()).as("forgotten within 5 s").isLessThan(until);
            link.forget(one.sandbox());
        }
        assertThatThrownBy(waiting::get).hasCauseInstanceOf(SandboxException.class);
        gateway = new Hearing(socket());
        await(() -> gateway.heard.equals(List.of("KEEP_ONLY 0")));
    }

    @Test
    void whoIsInterruptedLeavesNoGhost() throws Exception {
        link.start();
        link.register(registration(1, 1));
        for (int i = 0; i < 30; i++) {
            var one = registration(2, 1);
            var telling = Thread.ofVirtual().start(() -> {
                try {
                    link.register(one);
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            });
            telling.interrupt();
            telling.join();
            link.forget(one.sandbox());
        }
        var last = registration(3, 1);
        link.register(last);
        assertThat(gateway.known).hasSize(2).contains(last.sandbox().value());
    }

    @Test
    void ofTwoChangesTheLaterOneStays() throws Exception {
        link.start();
        var one = registration(1, 1);
        for (int i = 2; i < 50; i++) {
            link.registerSoon(withRate(one, i));
            link.register(withRate(one, 1000 + i));
            assertThat(gateway.heard.getLast()).isEqualTo("REGISTER " + one.sandbox() + " " + (1000 + i));
        }
        restart();
        await(() -> gateway.known.size() == 1);
        assertThat(gateway.heard).containsExactly("KEEP_ONLY 1", "REGISTER " + one.sandbox() + " 1049");
    }

    @Test
    void whatIsRefusedDoesNotStandInAnybodysWay() throws Exception {
        link.start();
        var good = registration(1, 1);
        var bad = registration(2, 2);
        gateway.refused.add(bad.sandbox().value());
        link.register(good);
        assertThatThrownBy(() -> link.register(bad)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.BAD_REQUEST));
        // Refused rules of one that had others: those stay.
        gateway.refused.add(good.sandbox().value());
        assertThatThrownBy(() -> link.register(withRate(good, 5))).isInstanceOf(SandboxException.class);
        restart();
        await(() -> gateway.known.size() == 1);
        assertThat(gateway.heard).containsExactly("KEEP_ONLY 1", "REGISTER " + good.sandbox() + " 1");
        // One that was fine for the gateway before this one.
        var third = registration(3, 3);
        link.register(third);
        gateway.close();
        gateway = new Hearing(directory.resolve("other.sock"));
        gateway.refused.add(good.sandbox().value());
        Files.move(directory.resolve("other.sock"), socket());
        await(() -> gateway.known.contains(third.sandbox().value()));
        assertThat(gateway.heard).contains("FORGET " + good.sandbox());
        link.register(registration(4, 4));
        assertThat(gateway.known).hasSize(2);
    }

    @Test
    void aGatewayThatAnswersNobodyIsLeftAndTriedAgain() throws Exception {
        link.start();
        var one = registration(1, 1);
        link.register(one);
        gateway.silent = true;
        long began = System.nanoTime();
        link.forget(one.sandbox());
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(12));
        // Once it speaks again, it is told what it has not heard.
        gateway.silent = false;
        await(() -> gateway.heard.getLast().equals("KEEP_ONLY 0"));
        assertThat(gateway.known).isEmpty();
    }

    @Test
    void manyAtOnceWhileItDiesAgainAndAgain() throws Exception {
        link.start();
        var living = ConcurrentHashMap.<String>newKeySet();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 8; i++) {
                int number = i;
                var random = new Random(i);
                threads.submit(() -> {
                    for (int j = 0; j < 30; j++) {
                        var one = registration(10 + number, 1 + j);
                        link.register(one);
                        if (random.nextBoolean()) {
                            link.forget(one.sandbox());
                        } else {
                            living.add(one.sandbox().value());
                        }
                    }
                    return 0;
                });
            }
            for (int i = 0; i < 6; i++) {
                int before = gateway.heard.size();
                await(() -> gateway.heard.size() > before + 5 || living.size() > 100);
                restart();
            }
        }
        var last = registration(99, 1);
        link.register(last);
        living.add(last.sandbox().value());
        assertThat(gateway.known).containsExactlyInAnyOrderElementsOf(living);
    }

    @Test
    void closedBeforeItWasStartedItDoesNothing() throws Exception {
        link.close();
        assertThat(gateway.heard).isEmpty();
    }
}
