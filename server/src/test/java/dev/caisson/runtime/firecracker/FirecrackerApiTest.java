package dev.caisson.runtime.firecracker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A Firecracker that its guest has taken may answer anything.
@Timeout(20)
class FirecrackerApiTest {
    private static final Duration BOUND = Duration.ofMillis(300);

    @TempDir
    private Path directory;

    private Path socket;
    private int user;
    private ServerSocketChannel listener;
    private final LinkedBlockingQueue<SocketChannel> peers = new LinkedBlockingQueue<>();
    private final StringBuffer asked = new StringBuffer();

    @BeforeEach
    void listen() throws IOException {
        socket = directory.resolve("a");
        listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        user = (int) Files.getAttribute(socket, "unix:uid");
    }

    @AfterEach
    void hangUp() throws IOException {
        listener.close();
        for (var peer : peers) {
            peer.close();
        }
    }

    /// Answers whatever comes first with that, and leaves the connection open.
    private FirecrackerApi answering(String answer) throws Exception {
        Thread.ofVirtual().start(() -> {
            try {
                var peer = listener.accept();
                peers.add(peer);
                var request = ByteBuffer.allocate(65_536);
                peer.read(request);
                asked.append(StandardCharsets.UTF_8.decode(request.flip()));
                peer.write(ByteBuffer.wrap(answer.getBytes(StandardCharsets.UTF_8)));
            } catch (IOException _) {
                // The test has seen enough.
            }
        });
        return FirecrackerApi.connect(socket, user, BOUND);
    }

    private static String json(String status, String body) {
        return "HTTP/1.1 " + status + "\r\nServer: Firecracker API\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
    }

    @Test
    void readsWhatFirecrackerSays() throws Exception {
        try (var api = answering(json("200 ", "{\"firecracker_version\":\"1.12.1\"}"))) {
            assertThat(api.get("/version", BOUND).text("firecracker_version")).isEqualTo("1.12.1");
        }
        assertThat(asked.toString()).startsWith("GET /version HTTP/1.1\r\n").doesNotContain("Content-Length").endsWith("\r\n\r\n");
    }

    @Test
    void saysWhatIsToBeSet() throws Exception {
        try (var api = answering("HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n")) {
            api.put("/vsock", out -> out.writeStringProperty("uds_path", "/v"), BOUND);
        }
        assertThat(asked.toString()).startsWith("PUT /vsock HTTP/1.1\r\n").contains("Content-Length: 17\r\n").endsWith("\r\n\r\n{\"uds_path\":\"/v\"}");
    }

    @Test
    void aRefusalIsToldInFirecrackersWordsMadeHarmless() throws Exception {
        try (var api = answering(json("400 ", "{\"fault_message\":\"no such \\u001b[31mfile\"}"))) {
            assertThatThrownBy(() -> api.put("/vsock", _ -> {}, BOUND)).isInstanceOf(IOException.class)
                    .hasMessage("Firecracker refused PUT /vsock with status 400: no such ?[31mfile");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "HTTP/1.1 200 \r\n", "HTTP/1.1 200 \r\nContent-Length: 20\r\n\r\n{", "HTTP/1.1"})
    void silenceAndHalfAnswersEndInTime(String answer) throws Exception {
        try (var api = answering(answer)) {
            long start = System.nanoTime();
            assertThatThrownBy(() -> api.get("/version", BOUND)).isInstanceOf(IOException.class).hasMessage("Firecracker did not answer GET /version in time");
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(BOUND, BOUND.multipliedBy(10));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "hello\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 \r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            "HTTP/1.1 200 \r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 \r\nContent-Length: 99999\r\n\r\n",
            "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 \r\n\r\n",
            "HTTP/1.1 200 \r\n: nothing\r\n\r\n",
            "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n[1]",
            "HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\n{1:}",
            "HTTP/1.1 302 \r\nLocation: http://elsewhere/\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n"})
    void whatMakesNoSenseIsRefused(String answer) throws Exception {
        try (var api = answering(answer)) {
            assertThatThrownBy(() -> api.get("/version", BOUND)).isInstanceOf(IOException.class).hasMessageNotContaining("in time");
        }
    }

    @Test
    void aHeadWithoutEndIsRefused() throws Exception {
        try (var api = answering("HTTP/1.1 200 \r\n" + "a: b\r\n".repeat(20_000))) {
            assertThatThrownBy(() -> api.get("/version", Duration.ofSeconds(10))).isInstanceOf(IOException.class).hasMessageContaining("a head without an end");
        }
    }

    @Test
    void aPeerThatHangsUpIsSeen() throws Exception {
        try (var api = answering("HTTP/1.1 200")) {
            peers.take().close();
            assertThatThrownBy(() -> api.get("/version", Duration.ofSeconds(10))).isInstanceOf(IOException.class).hasMessageContaining("hung up");
        }
    }

    @Test
    void aPeerThatReadsNothingIsSeen() throws Exception {
        try (var api = FirecrackerApi.connect(socket, user, BOUND)) {
            assertThatThrownBy(() -> api.put("/vsock", out -> out.writeStringProperty("much", "x".repeat(8 << 20)), BOUND))
                    .isInstanceOf(IOException.class).hasMessageContaining("in time");
        }
    }

    @Test
    void anInterruptIsHeard() throws Exception {
        try (var api = answering("")) {
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> api.get("/version", Duration.ofSeconds(10))).isInstanceOf(InterruptedException.class);
        }
    }

    @Test
    void onlyASocketOfThatUserIsDialed() throws Exception {
        var link = Files.createSymbolicLink(directory.resolve("link"), socket);
        var file = Files.createFile(directory.resolve("file"));
        for (Path other : new Path[] {link, file}) {
            assertThatThrownBy(() -> FirecrackerApi.connect(other, user, BOUND)).isInstanceOf(IOException.class).hasMessageContaining("none of user " + user);
        }
        assertThatThrownBy(() -> FirecrackerApi.connect(socket, user + 1, BOUND)).isInstanceOf(IOException.class).hasMessageContaining("none of user");
        assertThatThrownBy(() -> FirecrackerApi.connect(directory.resolve("nothing"), user, BOUND)).isInstanceOf(IOException.class);
    }

    @Test
    void aSocketThatNobodyListensAtEndsInTime() throws Exception {
        listener.close();
        assertThatThrownBy(() -> FirecrackerApi.connect(socket, user, BOUND)).isInstanceOf(IOException.class).hasMessageContaining("nobody listens");
    }

    @Test
    void aListenerThatTakesNobodyInDoesNotHoldUs() throws Exception {
        var full = directory.resolve("full");
        var waiting = new ArrayList<SocketChannel>();
        try (var narrow = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(full), 1)) {
            assertThat(narrow.isOpen()).isTrue();
            for (int i = 0; i < 2; i++) {
                waiting.add(SocketChannel.open(UnixDomainSocketAddress.of(full)));
            }
            assertThatThrownBy(() -> {
                try (var api = FirecrackerApi.connect(full, user, BOUND)) {
                    api.get("/version", BOUND);
                }
            }).isInstanceOf(IOException.class);
        } finally {
            for (var each : waiting) {
                each.close();
            }
        }
    }
}
