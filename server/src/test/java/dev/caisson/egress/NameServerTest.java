package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/// DNS as it comes over sockets.
@Timeout(60)
class NameServerTest {
    private static final InetAddress LOOPBACK = InetAddress.ofLiteral("127.0.0.1");
    private static final InetAddress FIRST = InetAddress.ofLiteral("127.0.0.11");
    private static final InetAddress SECOND = InetAddress.ofLiteral("127.0.0.12");

    @TempDir
    private Path directory = Path.of("");

    private record Running(LoopbackDns dns, DatagramChannel udp, ServerSocketChannel tcp, NameSandbox first, NameSandbox second, NameServer server, Thread loop) {}

    private final java.util.ArrayList<Running> running = new java.util.ArrayList<>();

    @BeforeEach
    void open() throws IOException {
        var dns = new LoopbackDns().has("api.example.com", "192.0.2.1");
        var first = new NameSandbox(SyntheticAddresses.open(directory.resolve("1"), 0), _ -> true);
        var second = new NameSandbox(SyntheticAddresses.open(directory.resolve("2"), 100), _ -> true);
        var server = new NameServer(new NameService(new Upstream(List.of(dns.place()), new Random(1))), Duration.ofMillis(300));
        var udp = DatagramChannel.open().bind(new InetSocketAddress(LOOPBACK, 0));
        var tcp = ServerSocketChannel.open().bind(new InetSocketAddress(LOOPBACK, 0));
        var loop = Thread.ofVirtual().start(() -> {
            try {
                server.serveUdp(udp, source -> source.getAddress().equals(FIRST) ? Optional.of(first) : source.getAddress().equals(SECOND) ? Optional.of(second) : Optional.empty());
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    server.serveTcp(tcp.accept(), first);
                }
            } catch (IOException | InterruptedException _) {
                // The test is over.
            }
        });
        running.add(new Running(dns, udp, tcp, first, second, server, loop));
    }

    @AfterEach
    void close() throws Exception {
        for (var each : running) {
            each.udp.close();
            each.tcp.close();
            each.dns.close();
            assertThat(each.loop.join(Duration.ofSeconds(5))).isTrue();
        }
    }

    private Running here() {
        return running.getFirst();
    }

    private static byte[] query(String name, int id) throws IOException {
        var query = new Message(id);
        query.addRecord(Record.newRecord(Name.fromString(name, Name.root), Type.A, DClass.IN), Section.QUESTION);
        return query.toWire();
    }

    private DatagramSocket socket(InetAddress from) throws IOException {
        var socket = new DatagramSocket(new InetSocketAddress(from, 0));
        socket.connect(here().udp.getLocalAddress());
        socket.setSoTimeout(5_000);
        return socket;
    }

    private static Message received(DatagramSocket socket) throws IOException {
        var packet = new DatagramPacket(new byte[1024], 1024);
        socket.receive(packet);
        return new Message(ByteBuffer.wrap(packet.getData(), 0, packet.getLength()));
    }

    private static void send(DatagramSocket socket, byte[] bytes) throws IOException {
        socket.send(new DatagramPacket(bytes, bytes.length));
    }

    @Test
    void tellsEachSandboxItsOwnAddress() throws Exception {
        try (var one = socket(FIRST); var other = socket(SECOND)) {
            send(one, query("api.example.com", 1));
            assertThat(received(one).getSection(Section.ANSWER).getFirst().rdataToString()).isEqualTo("198.18.0.1");
            send(other, query("api.example.com", 2));
            assertThat(received(other).getSection(Section.ANSWER).getFirst().rdataToString()).isEqualTo("198.18.0.101");
        }
    }

    @Test
    void tellsNobodyElse() throws Exception {
        try (var stranger = socket(LOOPBACK); var one = socket(FIRST)) {
            send(stranger, query("api.example.com", 1));
            send(one, query("api.example.com", 2));
            received(one);
            stranger.setSoTimeout(100);
            org.assertj.core.api.Assertions.assertThatThrownBy(() -> received(stranger)).isInstanceOf(SocketTimeoutException.class);
            assertThat(here().dns.asked()).hasSize(2);
        }
    }

    @Test
    void goesOnAfterEveryKindOfDatagram() throws Exception {
        try (var one = socket(FIRST)) {
            send(one, new byte[0]);
            send(one, new byte[513]);
            send(one, new byte[8_000]);
            assertThat(received(one).getRcode()).isEqualTo(org.xbill.DNS.Rcode.FORMERR);
            assertThat(received(one).getRcode()).isEqualTo(org.xbill.DNS.Rcode.FORMERR);
            send(one, query("api.example.com", 3));
            assertThat(received(one).getHeader().getID()).isEqualTo(3);
        }
    }

    @Test
    void oneSandboxLeavesRoomForTheOthers() throws Exception {
        var open = new CountDownLatch(1);
        here().dns.has("slow.example.com", "192.0.2.2").says((query, _) -> {
            if (query.getQuestion().getName().toString().startsWith("slow") && open.getCount() > 0) {
                return List.of();
            }
            return List.of(here().dns.honest(query).toWire());
        });
        try (var one = socket(FIRST); var other = socket(SECOND)) {
            one.setReceiveBufferSize(1 << 20);
            for (int i = 0; i < 200; i++) {
                send(one, query("slow.example.com", i));
            }
            send(other, query("api.example.com", 7));
            assertThat(received(other).getSection(Section.ANSWER)).hasSize(1);
            // The upstream is asked a second time after 1.5 s.
            open.countDown();
            for (int i = 0; i < NameServer.MAX_IN_FLIGHT_EACH; i++) {
                assertThat(received(one).getSection(Section.ANSWER)).hasSize(1);
            }
            one.setSoTimeout(100);
            org.assertj.core.api.Assertions.assertThatThrownBy(() -> received(one)).as("the rest was dropped").isInstanceOf(SocketTimeoutException.class);
            one.setSoTimeout(5_000);
            send(one, query("api.example.com", 8));
            assertThat(received(one).getHeader().getID()).as("there is room again").isEqualTo(8);
        }
    }

    private Socket connected() throws IOException {
        var socket = new Socket(LOOPBACK, ((InetSocketAddress) here().tcp.getLocalAddress()).getPort());
        socket.setSoTimeout(5_000);
        return socket;
    }

    private static byte[] framed(byte[] message) {
        return ByteBuffer.allocate(message.length + 2).putShort((short) message.length).put(message).array();
    }

    @Test
    void answersManyQueriesOfOneConnectionAndThenNoMore() throws Exception {
        try (var socket = connected()) {
            var in = new DataInputStream(socket.getInputStream());
            var all = ByteBuffer.allocate(100 * 64);
            for (int i = 0; i < NameServer.MAX_QUERIES_PER_CONNECTION; i++) {
                all.put(framed(query("api.example.com", i)));
            }
            socket.getOutputStream().write(all.array(), 0, all.position());
            for (int i = 0; i < NameServer.MAX_QUERIES_PER_CONNECTION; i++) {
                var answer = new Message(in.readNBytes(in.readUnsignedShort()));
                assertThat(answer.getHeader().getID()).isEqualTo(i);
                assertThat(answer.getSection(Section.ANSWER)).hasSize(1);
            }
            assertThat(in.read()).isEqualTo(-1);
        }
    }

    @Test
    void hangsUpOnWhoIsSlowOrTalksTooMuch() throws Exception {
        ended(new byte[] {});
        ended(new byte[] {0});
        ended(new byte[] {0, 40, 1, 2, 3});
        ended(new byte[] {0, 0});
        ended(new byte[] {2, 1});
        ended(new byte[] {(byte) 0xff, (byte) 0xff});
        try (var dripping = connected()) {
            long begin = System.nanoTime();
            dripping.getOutputStream().write(new byte[] {1, 0});
            try {
                while (System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(5)) {
                    dripping.getOutputStream().write(0);
                    dripping.setSoTimeout(50);
                    try {
                        if (dripping.getInputStream().read() < 0) {
                            break;
                        }
                    } catch (SocketTimeoutException _) {
                        // Not yet.
                    }
                }
            } catch (IOException _) {
                // Reset: it hung up with bytes unread.
            }
            assertThat(System.nanoTime() - begin).isLessThan(TimeUnit.SECONDS.toNanos(3));
        }
        assertThat(here().dns.asked()).isEmpty();
    }

    private void ended(byte[] bytes) throws IOException {
        try (var socket = connected()) {
            socket.getOutputStream().write(bytes);
            long begin = System.nanoTime();
            assertThat(socket.getInputStream().read()).isEqualTo(-1);
            assertThat(System.nanoTime() - begin).isLessThan(TimeUnit.SECONDS.toNanos(3));
        }
    }
}
