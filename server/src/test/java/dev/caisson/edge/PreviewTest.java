package dev.caisson.edge;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.policy.PortLinks;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The preview door: what is let in, what crosses, and what a hostile server on the other side can do.
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PreviewTest extends OpenPreview {
    private static final String KEY = "e2b_0123456789abcdef0123456789abcdef01234567";

    PreviewTest(@TempDir Path directory) {
        super(directory);
    }

    @Test
    void carriesARequestAsItIs() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            var answer = send(get("/a%2Fb//c/../d;x?q=%5B1%5D&r", token(), "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6", "X_Forwarded_Host: evil", "Cookie: a=1; caisson-link=x; b=2",
                    "X-API-KEY: " + KEY, "Authorization: Bearer " + KEY, "X-Own: kept", "Proxy-Authorization: x", "Connection: x-hop", "X-Hop: 1"));
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.body()).isEqualTo("hi");
            String head = guest.heads.getFirst();
            assertThat(head).startsWith("GET /a%2Fb//c/../d;x?q=%5B1%5D&r HTTP/1.1\r\n").contains("Host: " + host(3000) + "\r\n", "X-Own: kept\r\n", "Cookie: a=1; b=2\r\n", "X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n");
            assertThat(head.toLowerCase(java.util.Locale.ROOT)).doesNotContain("6.6.6.6", "evil", KEY, "caisson-token", "proxy-authorization", "x-hop");
        }
    }

    @Test
    void isPrivateUnlessSaidOtherwise() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/")).status()).isEqualTo(403);
            assertThat(send(get("/", "Caisson-Token: " + "A".repeat(43))).status()).isEqualTo(403);
            var other = sandboxes.create(SandboxSpec.defaults()).id();
            assertThat(send(get("/", "Caisson-Token: " + tokens.token(other, SandboxTokens.Purpose.TRAFFIC))).status()).isEqualTo(403);
            assertThat(send(get("/", "Caisson-Token: " + tokens.token(id, SandboxTokens.Purpose.CONTROL))).status()).isEqualTo(403);
            assertThat(sandboxes.dials()).isZero();
            assertThat(send(get("/", token())).status()).isEqualTo(200);
            var open = sandboxes.create(SandboxSpec.defaults().withPublicPorts(true)).id();
            sandboxes.listen(open, 3000, guest.port());
            assertThat(send(get("/").replace(id.value(), open.value())).status()).isEqualTo(200);
        }
    }

    @Test
    void exchangesALinkForACookieOfThisOnePort() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            sandboxes.listen(id, 8080, guest.port());
            String link = links.make(id, 3000, Duration.ofMinutes(5)).signature();
            var answer = send(get("//evil.test/x?a=1&caisson-link=" + link + "&b=2"));
            assertThat(answer.status()).isEqualTo(303);
            assertThat(answer.head()).contains("Location: http://" + host(3000) + "//evil.test/x?a=1&b=2\r\n", "HttpOnly; SameSite=Lax").doesNotContain("Domain=");
            String cookie = "Cookie: caisson-link=" + link;
            assertThat(send(get("/", cookie)).status()).isEqualTo(200);
            assertThat(send(get("/", cookie, "Origin: http://" + host(3000))).status()).isEqualTo(200);
            assertThat(send(get("/", cookie, "Origin: http://" + host(3001))).status()).isEqualTo(403);
            assertThat(send(get("/", cookie, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors")).status()).isEqualTo(403);
            assertThat(send(get("/", cookie).replace("Host: 3000", "Host: 8080")).status()).isEqualTo(403);
            String old = new PortLinks(tokens, InstantSource.fixed(NOW.minusSeconds(600))).make(id, 3000, Duration.ofMinutes(5)).signature();
            assertThat(send(get("/?caisson-link=" + old)).status()).isEqualTo(403);
            assertThat(send(get("/?caisson-link=9" + link)).status()).isEqualTo(403);
            assertThat(guest.heads).hasSize(2).noneMatch(head -> head.contains(link));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "Host: 03000-ID.box.test", "Host: 0-ID.box.test", "Host: 65536-ID.box.test", "Host: x.3000-ID.box.test", "Host: 3000-ID.box.test.", "Host: 3000-ID.box.test\r\nHost: 3000-ID.box.test",
        "Host: 3000-ID.box.test\r\nHost: other.test", "Host: user@3000-ID.box.test", "Host: 3000-ID.box.test, other.test", "Host: 3000-ID.box.test/x"})
    void refusesHostsThatAreNotCanonical(String host) throws IOException {
        assertThat(send("GET / HTTP/1.1\r\n" + host.replace("ID", id.value()) + "\r\n" + token() + "\r\nConnection: close\r\n\r\n").status()).isEqualTo(400);
        assertThat(sandboxes.dials()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://other.test/", "http://3001-ID.box.test/", "http://user@3000-ID.box.test/", "//", "http://127.0.0.1/"})
    void refusesTargetsThatDisagreeWithTheHost(String target) throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            sandboxes.listen(id, 3001, guest.port());
            var answer = send("GET " + target.replace("ID", id.value()) + " HTTP/1.1\r\nHost: " + host(3000) + "\r\n" + token() + "\r\nConnection: close\r\n\r\n");
            // A path of two slashes is a path, and names nobody.
            assertThat(answer.status()).isEqualTo(target.equals("//") ? 200 : 400);
        }
    }

    @Test
    void saysWhatIsNotThere() throws IOException {
        var closed = send(get("/", token()));
        assertThat(closed.status()).isEqualTo(502);
        assertThat(closed.body()).contains("\"sandboxId\":\"" + id + "\"", "port is not open", "\"code\":502", "\"port\":3000");
        assertThat(send(get("/", token(), "Accept: text/html,*/*")).body()).contains("<!doctype html>", "Nothing listens on port 3000");
        String gone = token();
        sandboxes.delete(id);
        assertThat(send(get("/", gone)).body()).contains("was not found", "\"code\":502");
        assertThat(send(get("/")).body()).contains("was not found");
        assertThat(send(get("/", gone).replace("Host: 3000", "Host: 49983")).status()).isEqualTo(404);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Header\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n"})
    void refusesWhatIsNotHttp(String bytes) throws IOException {
        try (var guest = Guest.saying(bytes)) {
            sandboxes.listen(id, 3000, guest.port());
            var answer = send(get("/", token()));
            assertThat(answer.status()).as(answer.head()).isEqualTo(502);
            assertThat(answer.body()).contains("did not give an answer in HTTP/1.1");
        }
    }

    @Test
    void boundsHeadsTrailersAndInterimAnswers() throws IOException {
        try (var guest = Guest.saying("HTTP/1.1 200 OK\r\n" + "X: y\r\n".repeat(10_000) + "\r\n")) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/", token())).status()).isEqualTo(502);
        }
        try (var guest = Guest.saying("HTTP/1.1 102 Processing\r\n\r\n".repeat(50) + "HTTP/1.1 200 OK\r\n\r\n")) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/", token())).status()).isEqualTo(502);
        }
        try (var guest = Guest.saying("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/", token())).body()).isEqualTo("ok");
        }
        try (var guest = Guest.saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + "X: y\r\n".repeat(10_000) + "\r\n")) {
            sandboxes.listen(id, 3000, guest.port());
            // The answer has begun: it is cut, not ended.
            assertThat(send(get("/", token())).body()).doesNotContain("0\r\n\r\n");
        }
    }

    @Test
    void keepsTheSandboxToItsOwnName() throws IOException {
        try (var guest = Guest.saying("HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Domain=box.test; Path=/\r\nSet-Cookie: caisson-link=x\r\nClear-Site-Data: \"cookies\"\r\nAlt-Svc: h2=\"evil:1\"\r\nContent-Length: 0\r\n\r\n")) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/", token())).head()).contains("Set-Cookie: a=1; Path=/\r\n").doesNotContain("Domain", "caisson-link", "Clear-Site-Data", "Alt-Svc");
        }
    }

    @Test
    void carriesEveryFraming() throws IOException {
        for (String bytes : List.of("HTTP/1.0 200 OK\r\n\r\nbody", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\nT: z\r\n\r\n")) {
            try (var guest = Guest.saying(bytes)) {
                sandboxes.listen(id, 3000, guest.port());
                assertThat(send(get("/", token()).replace("HTTP/1.1", "HTTP/1.0")).body()).isEqualTo("body");
            }
        }
        try (var guest = Guest.saying("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")) {
            sandboxes.listen(id, 3000, guest.port());
            var answer = send(get("/", token()).replace("GET", "HEAD"));
            assertThat(answer.head()).contains("Content-Length: 4\r\n");
            assertThat(answer.body()).isEmpty();
        }
        for (String status : List.of("204 No Content", "304 Not Modified")) {
            try (var guest = Guest.saying("HTTP/1.1 " + status + "\r\n\r\n")) {
                sandboxes.listen(id, 3000, guest.port());
                assertThat(send(get("/", token())).status()).isEqualTo(Integer.parseInt(status.substring(0, 3)));
            }
        }
    }

    @Test
    void sendsABodyInAndCutsASlowOne() throws IOException {
        try (var guest = new Guest((_, connection) -> {
            var body = connection.getInputStream().readNBytes(11);
            Guest.say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + new String(body, StandardCharsets.ISO_8859_1));
        })) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/", token(), "Content-Length: 11").replace("GET", "POST") + "hello world").body()).isEqualTo("hello world");
            try (var socket = new Socket("127.0.0.1", listener.port())) {
                socket.getOutputStream().write(get("/", token(), "Content-Length: 11").replace("GET", "POST").getBytes(StandardCharsets.ISO_8859_1));
                for (int i = 0; i < 4; i++) {
                    socket.getOutputStream().write('x');
                    java.util.concurrent.locks.LockSupport.parkNanos(500_000_000);
                }
                assertThat(answer(socket.getInputStream()).status()).isEqualTo(408);
            }
        }
    }

    @Test
    void sendsEachPieceAtOnce() throws IOException {
        var go = new java.util.concurrent.CountDownLatch(1);
        try (var guest = new Guest((_, connection) -> {
            Guest.say(connection, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
            try {
                go.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            Guest.say(connection, "data: 2\n\n");
            connection.close();
        }); var socket = new Socket("127.0.0.1", listener.port())) {
            sandboxes.listen(id, 3000, guest.port());
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(get("/", token()).getBytes(StandardCharsets.ISO_8859_1));
            var in = socket.getInputStream();
            Guest.head(in);
            var first = new StringBuilder();
            while (!first.toString().contains("data: 1\n\n")) {
                first.append((char) in.read());
            }
            go.countDown();
            assertThat(new String(in.readAllBytes(), StandardCharsets.ISO_8859_1)).contains("data: 2\n\n");
        }
    }

    @Test
    void tunnelsAnUpgradeBothWaysAndClosesAnIdleOne() throws IOException {
        try (var guest = new Guest((_, connection) -> {
            Guest.say(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nearly");
            connection.getInputStream().transferTo(connection.getOutputStream());
        }); var socket = new Socket("127.0.0.1", listener.port())) {
            sandboxes.listen(id, 3000, guest.port());
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(get("/", token(), "Upgrade: echo").replace("Connection: close", "Connection: Upgrade").concat("first").getBytes(StandardCharsets.ISO_8859_1));
            var in = socket.getInputStream();
            assertThat(Guest.head(in)).startsWith("HTTP/1.1 101").contains("Upgrade: echo");
            assertThat(new String(in.readNBytes(10), StandardCharsets.ISO_8859_1)).isEqualTo("earlyfirst");
            byte[] much = new byte[1 << 20];
            new Random(1).nextBytes(much);
            Thread.ofVirtual().start(() -> {
                try {
                    socket.getOutputStream().write(much);
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            assertThat(in.readNBytes(much.length)).isEqualTo(much);
            // Nothing moves for longer than it may.
            assertThat(in.read()).isEqualTo(-1);
        }
    }

    @Test
    void boundsConnectionsOfASandboxAndGivesUpOnASilentServer() throws Exception {
        try (var guest = new Guest((_, _) -> {})) {
            sandboxes.listen(id, 3000, guest.port());
            try (var threads = java.util.concurrent.Executors.newVirtualThreadPerTaskExecutor()) {
                var all = java.util.stream.IntStream.range(0, 4).mapToObj(_ -> threads.submit(() -> send(get("/", token())).status())).toList();
                var statuses = new java.util.ArrayList<Integer>();
                for (var one : all) {
                    statuses.add(one.get());
                }
                assertThat(statuses).containsExactlyInAnyOrder(429, 504, 504, 504);
            }
            assertThat(send(get("/", token())).status()).isEqualTo(504);
        }
    }

    @Test
    void usesAConnectionAgainOnlyAfterAWholeAnswer() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            for (int i = 0; i < 5; i++) {
                assertThat(send(get("/" + i, token())).body()).isEqualTo("hi");
                awaitKept();
            }
            assertThat(sandboxes.dials()).isEqualTo(1);
        }
        try (var guest = new Guest((_, connection) -> Guest.say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"))) {
            sandboxes.listen(id, 8080, guest.port());
            long before = sandboxes.dials();
            for (int i = 0; i < 3; i++) {
                assertThat(send(get("/", token()).replace("Host: 3000", "Host: 8080")).body()).isEqualTo("hi");
            }
            assertThat(sandboxes.dials() - before).isEqualTo(3);
        }
    }

    /// A connection is kept a moment after its answer has left: a client that is quicker has another one made.
    private void awaitKept() {
        long until = System.nanoTime() + Duration.ofSeconds(5).toNanos();
        while (door.forwarder().kept() == 0) {
            assertThat(System.nanoTime()).as("waited 5 s for a connection to be kept").isLessThan(until);
            Thread.onSpinWait();
        }
    }

    /// Whatever a server sends, the client gets an answer of ours or a part of what was sent, and the front goes on.
    @Test
    void survivesAnything() throws IOException {
        var random = new Random(42);
        String base = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        for (int i = 0; i < 300; i++) {
            byte[] bytes = base.getBytes(StandardCharsets.ISO_8859_1);
            for (int n = random.nextInt(6); n >= 0; n--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            try (var guest = Guest.saying(new String(bytes, 0, 1 + random.nextInt(bytes.length), StandardCharsets.ISO_8859_1))) {
                sandboxes.listen(id, 3000, guest.port());
                assertThat(send(get("/", token())).status()).isBetween(200, 999);
            }
        }
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/", token())).body()).isEqualTo("hi");
        }
    }
}
