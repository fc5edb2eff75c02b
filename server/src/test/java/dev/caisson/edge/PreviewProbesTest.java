package dev.caisson.edge;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.Waking;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What attackers try with preview URLs: of somebody else's sandbox, from another site's page, and with requests that two programs would read in two ways.
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PreviewProbesTest extends OpenPreview {
    PreviewProbesTest(@TempDir Path directory) {
        super(directory);
    }

    @Test
    void aLinkIsWorthNothingOnAnotherPortOrSandbox() throws IOException {
        try (var guest = Guest.polite()) {
            var other = sandboxes.create(SandboxSpec.defaults()).id();
            sandboxes.listen(id, 8080, guest.port());
            sandboxes.listen(other, 3000, guest.port());
            String request = get("/?caisson-link=" + links.make(id, 3000, Duration.ofMinutes(5)).signature());
            assertThat(send(request.replace("Host: 3000", "Host: 8080")).status()).isEqualTo(403);
            assertThat(send(request.replace(id.value(), other.value())).status()).isEqualTo(403);
            assertThat(guest.heads).isEmpty();
        }
    }

    @Test
    void onlyTheHostSaysWhereARequestGoes() throws IOException {
        try (var meant = Guest.polite(); var named = Guest.polite()) {
            var other = sandboxes.create(SandboxSpec.defaults().withPublicPorts(true)).id();
            sandboxes.listen(id, 3000, meant.port());
            sandboxes.listen(id, 8080, named.port());
            sandboxes.listen(other, 3000, named.port());
            String elsewhere = "3000-" + other + ".box.test";
            assertThat(send(get("/", token(), "X-Forwarded-Host: " + elsewhere, "X-Forwarded-Port: 8080", "Forwarded: host=" + elsewhere, "X-Original-Host: " + elsewhere,
                    "X-Host: " + elsewhere, "E2b-Sandbox-Id: " + other, "E2b-Sandbox-Port: 8080")).status()).isEqualTo(200);
            assertThat(named.heads).isEmpty();
            assertThat(meant.heads).hasSize(1).noneMatch(head -> head.contains("E2b-Sandbox"));
        }
    }

    @Test
    void aDeletedSandboxIsGoneForItsTokensAndLinks() throws IOException {
        String link = "/?caisson-link=" + links.make(id, 3000, Duration.ofMinutes(5)).signature();
        String request = get("/", token());
        sandboxes.delete(id);
        assertThat(send(request).body()).contains("was not found");
        assertThat(send(get(link).replace("GET", "POST")).body()).contains("was not found");
        assertThat(send(get("/", "Caisson-Token: " + "A".repeat(43))).status()).isNotEqualTo(200);
        assertThat(sandboxes.dials()).isZero();
    }

    /// With the cookie that a browser would send along, whoever made it send the request.
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            403 | GET  | Origin: https://evil.test
            403 | GET  | Origin: null
            403 | GET  | Origin: http://3000-sbaaaaaaaaaaaaaaaaaa.box.test
            403 | POST | Origin: http://box.test
            403 | GET  | Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: no-cors; Sec-Fetch-Dest: image
            403 | GET  | Sec-Fetch-Site: same-site; Sec-Fetch-Mode: cors; Sec-Fetch-Dest: empty
            403 | GET  | Sec-Fetch-Site: same-site; Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: iframe
            403 | POST | Sec-Fetch-Site: same-site; Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: document
            403 | GET  | Upgrade: websocket; Origin: https://evil.test
            403 | GET  | Upgrade: websocket; Sec-Fetch-Site: same-site; Sec-Fetch-Mode: websocket; Sec-Fetch-Dest: empty
            200 | GET  | Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: navigate; Sec-Fetch-Dest: document
            200 | GET  | Sec-Fetch-Site: same-origin; Sec-Fetch-Mode: cors; Sec-Fetch-Dest: empty
            """)
    void anotherSitesPageCannotUseAVisitorsCookie(int status, String method, String headers) throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            String cookie = "Cookie: caisson-link=" + links.make(id, 3000, Duration.ofMinutes(5)).signature();
            String request = get("/", cookie, String.join("\r\n", headers.split("; "))).replaceFirst("GET", method);
            assertThat(send(headers.startsWith("Upgrade") ? request.replace("Connection: close", "Connection: Upgrade, close") : request).status()).isEqualTo(status);
            assertThat(guest.heads).hasSize(status == 200 ? 1 : 0);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"a=1; domain=box.test", "a=1;DOMAIN=.box.test", "a=1;\tDomain =box.test; Domain=test", "a=1; Domain", "a=1; Path=/; doMain=\"box.test\""})
    void aCookieIsForItsOwnHostAlone(String cookie) {
        assertThat(Heads.hostOnly(cookie)).hasValueSatisfying(kept -> assertThat(kept).startsWith("a=1").doesNotContainIgnoringCase("domain"));
    }

    @Test
    void aPausedSandboxIsNotWoken() throws IOException {
        sandboxes.pause(id);
        assertThat(send(get("/")).status()).isEqualTo(403);
        var refused = send(get("/", token()));
        assertThat(refused.status()).isEqualTo(502);
        assertThat(refused.body()).contains("paused");
        assertThat(sandboxes.get(id).state()).isEqualTo(SandboxState.PAUSED);
        assertThat(sandboxes.dials()).isZero();
    }

    @Test
    void whoMayReachASandboxWakesItIfItsMakerWantedThat() throws IOException {
        try (var guest = Guest.polite()) {
            var sleeper = sandboxes.create(SandboxSpec.defaults().withLabels(Waking.wish(Map.of()))).id();
            sandboxes.listen(sleeper, 3000, guest.port());
            sandboxes.pause(sleeper);
            String request = get("/", "Caisson-Token: " + tokens.token(sleeper, SandboxTokens.Purpose.TRAFFIC)).replace(id.value(), sleeper.value());
            assertThat(send(get("/").replace(id.value(), sleeper.value())).status()).isEqualTo(403);
            assertThat(sandboxes.get(sleeper).state()).isEqualTo(SandboxState.PAUSED);
            assertThat(send(request).status()).isEqualTo(200);
            assertThat(sandboxes.get(sleeper).state()).isEqualTo(SandboxState.RUNNING);
            // Also when a connection into it has been kept.
            sandboxes.pause(sleeper);
            assertThat(send(request).status()).isEqualTo(200);
        }
    }

    @Test
    void aLinkLeadsNowhereElse() throws IOException {
        String link = "caisson-link=" + links.make(id, 3000, Duration.ofMinutes(5)).signature();
        for (String path : List.of("//evil.test/", "/%5cevil.test/", "/%0d%0aSet-Cookie:a=1", "/@evil.test/", "/?to=https://evil.test/&", "/;@evil.test")) {
            var answer = send(get(path + (path.contains("?") ? "" : "?") + link));
            assertThat(answer.status()).as(path).isEqualTo(303);
            assertThat(answer.head()).as(path).contains("\r\nLocation: http://" + host(3000) + "/").doesNotContain("\nSet-Cookie:a");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 6", "Content-Length: +5", "Content-Length: -1", "Content-Length: 0x5", "Content-Length: 5 5", "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity", "Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "X: a\r\n b", "X", "X: a\0b", ": x",
        "X\u000b: y"})
    void refusesWhatTwoProgramsWouldReadInTwoWays(String headers) throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            String smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: " + host(3000) + "\r\n" + token() + "\r\n\r\n";
            assertThat(send(get("/", token(), headers).replaceFirst("GET", "POST") + smuggled).status()).isIn(400, 501);
            assertThat(guest.heads).isEmpty();
        }
    }

    /// Whether or not the line's end is forgiven: what goes in has been read once and is written anew.
    @Test
    void aLineEndWithoutCarriageReturnIsNoneInside() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            int status = send(get("/", token(), "X: a\nX-Own: b")).status();
            assertThat(status).isIn(200, 400);
            assertThat(guest.heads).hasSize(status == 200 ? 1 : 0).allMatch(head -> head.replace("\r\n", "").indexOf('\n') < 0);
        }
    }

    @Test
    void boundsTheHeadOfARequest() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            assertThat(send(get("/", token(), "X: " + "y".repeat(40_000))).status()).isEqualTo(431);
            assertThat(send(get("/", token(), "X: y\r\n".repeat(10_000) + "X: y")).status()).isEqualTo(431);
            assertThat(send(get("/" + "y".repeat(40_000), token())).status()).isIn(414, 431);
            assertThat(guest.heads).isEmpty();
        }
    }

    /// A byte now and then keeps a connection from being idle, and its head from being whole.
    @Test
    void cutsAHeadThatComesTooSlowly() throws Exception {
        try (var socket = new Socket("127.0.0.1", listener.port())) {
            socket.getOutputStream().write(("GET / HTTP/1.1\r\nHost: " + host(3000) + "\r\nX: ").getBytes(StandardCharsets.US_ASCII));
            // A read that ends says that the other side has closed.
            socket.setSoTimeout(200);
            long begin = System.nanoTime();
            boolean open = true;
            while (open && System.nanoTime() - begin < 10 * HEAD_WITHIN.toNanos()) {
                try {
                    socket.getOutputStream().write('y');
                    open = socket.getInputStream().read() >= 0;
                } catch (SocketTimeoutException _) {
                    // Still open.
                } catch (SocketException _) {
                    open = false;
                }
            }
            assertThat(open).isFalse();
            assertThat(System.nanoTime() - begin).isGreaterThan(HEAD_WITHIN.toNanos() / 2);
            assertThat(sandboxes.dials()).isZero();
        }
    }

    /// A header of HTTP/2 and what is in it.
    private record Field(String name, String value) {}

    static List<List<Field>> headsThatAreNone() {
        return List.of(
                List.of(new Field("x", "a\r\nx-evil: 1")), List.of(new Field("x: a\r\nx-evil", "1")), List.of(new Field("x-evil", "a\0b")), List.of(new Field("X-Evil", "1")),
                List.of(new Field("transfer-encoding", "chunked"), new Field("x-evil", "1")), List.of(new Field("connection", "x-evil"), new Field("x-evil", "1")),
                List.of(new Field("keep-alive", "5"), new Field("x-evil", "1")), List.of(new Field(":path", "/second"), new Field("x-evil", "1")),
                List.of(new Field("host", "3001-sbaaaaaaaaaaaaaaaaaa.box.test"), new Field("x-evil", "1")), List.of(new Field("", "x-evil")));
    }

    @ParameterizedTest
    @MethodSource("headsThatAreNone")
    void refusesHeadsOfHttp2ThatWouldBeOthersInHttp1(List<Field> fields) throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            sendByHttp2(fields);
            assertThat(guest.heads).noneMatch(head -> head.toLowerCase(java.util.Locale.ROOT).contains("x-evil"));
        }
    }

    @Test
    void carriesAGoodHeadOfHttp2() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            sendByHttp2(List.of(new Field("x-evil", "not at all")));
            assertThat(guest.heads).hasSize(1).allMatch(head -> head.contains("x-evil: not at all\r\n"));
        }
    }

    /// What is missing would be taken from the request that uses the connection next.
    @Test
    void aBodyThatIsNotAsLongAsItSaidEndsTheConnection() throws IOException {
        try (var guest = Guest.polite()) {
            sandboxes.listen(id, 3000, guest.port());
            for (int i = 0; i < 5; i++) {
                sendByHttp2(List.of(new Field("content-length", "500")));
                assertThat(send(get("/next", token())).status()).isEqualTo(200);
            }
            assertThat(guest.heads).filteredOn(head -> head.startsWith("GET /next ")).hasSize(5);
            // None of those that were good went on a connection that such a one had used.
            assertThat(sandboxes.dials()).isGreaterThanOrEqualTo(6);
        }
    }

    /// Sends one request, and waits for its answer, its refusal, or the connection's end.
    private void sendByHttp2(List<Field> fields) throws IOException {
        var block = new ByteArrayOutputStream();
        literal(block, new Field(":method", "GET"));
        literal(block, new Field(":scheme", "http"));
        literal(block, new Field(":authority", host(3000)));
        literal(block, new Field(":path", "/"));
        literal(block, new Field("caisson-token", tokens.token(id, SandboxTokens.Purpose.TRAFFIC)));
        fields.forEach(field -> literal(block, field));
        try (var socket = new Socket("127.0.0.1", listener.port())) {
            socket.setSoTimeout(30_000);
            var out = new ByteArrayOutputStream();
            out.writeBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            frame(out, 4, 0, 0, new byte[0]);
            frame(out, 1, 5, 1, block.toByteArray());
            socket.getOutputStream().write(out.toByteArray());
            var in = new DataInputStream(socket.getInputStream());
            while (true) {
                int lengthAndType = in.readInt();
                in.readByte();
                in.readInt();
                in.skipNBytes(lengthAndType >>> 8);
                // HEADERS, RST_STREAM, GOAWAY.
                if (List.of(1, 3, 7).contains(lengthAndType & 0xff)) {
                    return;
                }
            }
        } catch (EOFException | SocketException _) {
            // Refused with the whole connection.
        }
    }

    private static void frame(ByteArrayOutputStream out, int type, int flags, int stream, byte[] payload) {
        out.writeBytes(ByteBuffer.allocate(9).putInt(payload.length << 8 | type).put((byte) flags).putInt(stream).array());
        out.writeBytes(payload);
    }

    /// Neither indexed nor Huffman-coded; texts of fewer than 127 bytes.
    private static void literal(ByteArrayOutputStream block, Field field) {
        block.write(0);
        for (String text : List.of(field.name(), field.value())) {
            block.write(text.length());
            block.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
        }
    }
}
