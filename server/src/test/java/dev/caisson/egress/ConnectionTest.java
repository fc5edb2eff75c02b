package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.PortRange;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What is said first, over real sockets. All of it is for an address of this machine, which is never dialed: an opening that is allowed ends with that reason.
@Timeout(60)
class ConnectionTest {
    private static final String DIALED = "it is an address of the gateway's own machine";

    @TempDir
    private Path directory;

    private ServerSocketChannel server;
    private Deadlines deadlines;
    private GatewaySettings settings;
    private GatewayParts parts;

    @BeforeEach
    void open() throws Exception {
        var random = new SecureRandom();
        server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        deadlines = new Deadlines(RelayTimes.DEFAULT);
        settings = new GatewaySettings(directory, List.of(), TrustedRoots.read(List.of()), SealKey.openOrMake(directory, random), InstantSource.system(), random);
        Files.createDirectories(settings.names());
        Files.createDirectories(settings.flows());
        parts = new GatewayParts(new Upstream(List.of(), random), new PumpBuffers(2), new OpenedTls(settings.roots(), deadlines), deadlines);
    }

    @AfterEach
    void close() throws Exception {
        server.close();
        deadlines.close();
    }

    private Outlet outlet(EgressBudget budget, EgressProtocol... protocols) throws Exception {
        var rule = EgressRule.allow(EgressTarget.parse("127.0.0.0/8")).withProtocols(Set.of(protocols)).withPorts(List.of(new PortRange(1, 65_535)));
        var egress = new Egress(List.of(new EgressLayer(EgressLayer.REQUEST, EgressLayer.Mode.LIST, List.of(rule))), budget, List.of());
        var id = SandboxId.random(new Random(1));
        var registration = new Registration(id, InetAddress.ofLiteral("100.64.0.2"), InetAddress.ofLiteral("fdca:1550:1::2"), Instant.EPOCH, egress);
        return new Outlet(registration, SyntheticAddresses.open(settings.names().resolve(id.value()), 7), FlowLog.open(settings.flows(), id.value(), settings.clock()),
                new Spending(budget, 0, System.nanoTime()), settings);
    }

    /// A client and the thread that serves it.
    private record Client(SocketChannel channel, Thread serving) implements AutoCloseable {
        void say(byte[] bytes) throws IOException {
            var buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        }

        /// True when it is reset or closed.
        boolean hasEnded() {
            try {
                return channel.read(ByteBuffer.allocate(1)) < 0;
            } catch (IOException _) {
                return true;
            }
        }

        void awaitEnd() throws InterruptedException {
            assertThat(serving.join(Duration.ofSeconds(20))).as("served to its end").isTrue();
            assertThat(hasEnded()).isTrue();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    private Client connect(Outlet outlet) throws IOException {
        var client = SocketChannel.open(server.getLocalAddress());
        var accepted = server.accept();
        // Before it come those that were dialed.
        while (!accepted.getRemoteAddress().equals(client.getLocalAddress())) {
            accepted.close();
            accepted = server.accept();
        }
        var connection = new Connection(outlet, accepted, parts);
        return new Client(client, Thread.ofVirtual().start(connection::run));
    }

    private static Flow only(Outlet outlet) throws IOException {
        var flows = outlet.flows(0, 10);
        assertThat(flows).hasSize(1);
        return flows.getFirst();
    }

    private Flow saying(byte[] opening, int step, EgressProtocol... protocols) throws Exception {
        try (var outlet = outlet(EgressBudget.DEFAULT, protocols); var client = connect(outlet)) {
            for (int at = 0; at < opening.length && client.serving().isAlive(); at += step) {
                try {
                    client.say(java.util.Arrays.copyOfRange(opening, at, Math.min(opening.length, at + step)));
                } catch (IOException _) {
                    // Refused already.
                    break;
                }
                if (step < 100) {
                    LockSupport.parkNanos(200_000);
                }
            }
            if (client.serving().isAlive()) {
                client.channel().shutdownOutput();
            }
            client.awaitEnd();
            var flow = only(outlet);
            Files.delete(FlowLog.file(settings.flows(), outlet.sandbox().value()));
            return flow;
        }
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void aHelloIsReadHoweverItIsCut() throws Exception {
        byte[] message = new WrittenHello().name("allowed.example").message();
        for (int fragment : List.of(9, 50, 16_384)) {
            byte[] hello = WrittenHello.inRecords(message, fragment);
            for (int step : List.of(1, 5, hello.length)) {
                var flow = saying(hello, step, EgressProtocol.TLS, EgressProtocol.HTTP);
                assertThat(flow.reason()).as("in fragments of %s, %s bytes at a time", fragment, step).contains(DIALED);
                assertThat(flow.protocol()).isEqualTo("tls");
            }
        }
    }

    @Test
    void aHelloOfSixteenKibibytesIsReadAndALongerOneRefused() throws Exception {
        byte[] long16 = new WrittenHello().name("allowed.example").extension(21, new byte[15_900]).bytes();
        assertThat(saying(long16, long16.length, EgressProtocol.TLS).reason()).contains(DIALED);
        byte[] longer = new WrittenHello().name("allowed.example").extension(21, new byte[40_000]).bytes();
        var flow = saying(longer, longer.length, EgressProtocol.TLS);
        assertThat(flow.allowed()).isFalse();
        assertThat(flow.reason()).contains("hello");
    }

    @Test
    void aHelloThatIsNeverWholeIsRefusedWhenItsSenderHasNoMore() throws Exception {
        byte[] hello = new WrittenHello().name("allowed.example").bytes();
        for (int length = 1; length < hello.length; length += 11) {
            var flow = saying(java.util.Arrays.copyOf(hello, length), length, EgressProtocol.TLS, EgressProtocol.HTTP);
            assertThat(flow.allowed()).as("%s bytes", length).isFalse();
        }
    }

    @Test
    void whatIsNeitherIsRefusedAtItsFirstStrangeByte() throws Exception {
        for (String opening : List.of("SSH-2.0-x\r\n", "\0", "get / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u0080.\u0001", "A".repeat(40))) {
            var flow = saying(text(opening), 1, EgressProtocol.TLS, EgressProtocol.HTTP);
            assertThat(flow.allowed()).as(opening).isFalse();
            assertThat(flow.rule()).as(opening).isEqualTo("request:1");
            assertThat(flow.sent()).isZero();
        }
        assertThat(saying(text("GET / HTTP/1.1\r\n"), 1, EgressProtocol.TLS).reason()).isEqualTo("HTTP without TLS is not allowed here");
        assertThat(saying(new WrittenHello().name("allowed.example").bytes(), 50, EgressProtocol.HTTP).reason()).isEqualTo("TLS is not allowed here");
    }

    /// All at once, since each lasts the whole ten seconds: nothing at all, a beginning, and one byte again and again.
    @Test
    void silenceAndDrippingLastTenSecondsAtMost() throws Exception {
        byte[] hello = new WrittenHello().name("allowed.example").extension(21, new byte[2_000]).bytes();
        try (var outlet = outlet(EgressBudget.DEFAULT, EgressProtocol.TLS, EgressProtocol.HTTP); var silent = connect(outlet); var begun = connect(outlet); var dripping = connect(outlet)) {
            long began = System.nanoTime();
            begun.say(text("GE"));
            for (int at = 0; at < hello.length && dripping.serving().isAlive(); at++) {
                try {
                    dripping.say(new byte[] {hello[at]});
                } catch (IOException _) {
                    break;
                }
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
            }
            for (var client : List.of(silent, begun, dripping)) {
                client.awaitEnd();
            }
            assertThat(Duration.ofNanos(System.nanoTime() - began)).isBetween(Duration.ofSeconds(9), Duration.ofSeconds(15));
            assertThat(outlet.flows(0, 10)).isNotEmpty().noneMatch(Flow::allowed);
            assertThat(outlet.flows(0, 10).stream().mapToLong(Flow::count).sum()).isEqualTo(3);
        }
    }

    @Test
    void connectionsBeyondTheBudgetAreResetAndOthersTakeTheirPlace() throws Exception {
        try (var outlet = outlet(new EgressBudget(1, new ByteSize(0), 100), EgressProtocol.TLS); var first = connect(outlet)) {
            // To ask by taking the place would keep it from having it.
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
            while (outlet.spending().connections() == 0) {
                assertThat(System.nanoTime()).isLessThan(until);
            }
            try (var second = connect(outlet)) {
                second.awaitEnd();
            }
            assertThat(only(outlet)).matches(flow -> flow.rule().equals("budget") && !flow.allowed());
            first.say(text("x"));
            first.awaitEnd();
            try (var third = connect(outlet)) {
                third.say(text("x"));
                third.awaitEnd();
            }
            assertThat(outlet.flows(0, 10)).extracting(Flow::rule).containsExactly("budget", "request:1", "request:1");
        }
    }

    @Test
    void aChangeWhileItIsWaitedForCounts() throws Exception {
        byte[] hello = new WrittenHello().name("allowed.example").bytes();
        try (var outlet = outlet(EgressBudget.DEFAULT, EgressProtocol.TLS); var client = connect(outlet)) {
            client.say(java.util.Arrays.copyOf(hello, 10));
            outlet.change(outlet.registration().withEgress(Egress.NONE));
            client.say(java.util.Arrays.copyOfRange(hello, 10, hello.length));
            client.awaitEnd();
            assertThat(only(outlet).allowed()).isFalse();
            assertThat(only(outlet).reason()).doesNotContain(DIALED);
        }
    }

    @Test
    void allEndWithTheSandbox() throws Exception {
        var outlet = outlet(EgressBudget.DEFAULT, EgressProtocol.TLS);
        try (var client = connect(outlet)) {
            outlet.close();
            client.awaitEnd();
        }
    }

    @Test
    void theSameAddressMeansDifferentNamesInTwoSandboxes() throws Exception {
        try (var one = SyntheticAddresses.open(settings.names().resolve("one"), 7); var other = SyntheticAddresses.open(settings.names().resolve("other"), 7)) {
            var address = one.of("mine.example").orElseThrow();
            assertThat(other.of("yours.example")).contains(address);
            assertThat(one.nameOf(address.four())).contains("mine.example");
            assertThat(other.nameOf(address.four())).contains("yours.example");
            assertThat(other.nameOf(address.six())).contains("yours.example");
        }
    }
}
