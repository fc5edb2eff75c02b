package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.egress.RelayBench.Setup;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a relay lets through, byte by byte: a client and a server that say exactly what they are told to.
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HttpRelayTest {
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    /// A request with a mistake, or a trick, and the status that it is refused with; HOST stands for the destination.
    record Trick(String name, String request, int status) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Trick> tricks() {
        String smuggled = "GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n";
        return Stream.of(
                new Trick("bare LF after the request line", "GET / HTTP/1.1\nHost: HOST\r\n\r\n", 400),
                new Trick("bare LF after a field", "GET / HTTP/1.1\r\nHost: HOST\nX: y\r\n\r\n", 400),
                new Trick("bare LF at the end", "GET / HTTP/1.1\r\nHost: HOST\r\n\n", 400),
                new Trick("bare CR in a value", "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n", 400),
                new Trick("NUL in a value", "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\0b\r\n\r\n", 400),
                new Trick("NUL in the host", "GET / HTTP/1.1\r\nHost: evil.test\0HOST\r\n\r\n", 400),
                new Trick("control character in a value", "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\u0001b\r\n\r\n", 400),
                new Trick("folded field", "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n", 400),
                new Trick("folded Transfer-Encoding", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
                new Trick("first field folded", "GET / HTTP/1.1\r\n Host: HOST\r\n\r\n", 400),
                new Trick("space before the colon", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length : 5\r\n\r\nhello", 400),
                new Trick("field without a colon", "GET / HTTP/1.1\r\nHost: HOST\r\nnonsense\r\n\r\n", 400),
                new Trick("field without a name", "GET / HTTP/1.1\r\nHost: HOST\r\n: x\r\n\r\n", 400),
                new Trick("letter beyond ASCII in a name", "GET / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding\u00a0: chunked\r\n\r\n", 400),
                new Trick("two Content-Length", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + smuggled, 400),
                new Trick("the same Content-Length twice", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
                new Trick("list of Content-Length", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5, 5\r\n\r\nhello", 400),
                new Trick("signed Content-Length", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +5\r\n\r\nhello", 400),
                new Trick("negative Content-Length", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n", 400),
                new Trick("hexadecimal Content-Length", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0x5\r\n\r\nhello", 400),
                new Trick("huge Content-Length", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999999999999999999\r\n\r\nhello", 400),
                new Trick("empty Content-Length", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length:\r\n\r\n", 400),
                new Trick("CL and TE", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400),
                new Trick("TE and CL", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n", 400),
                new Trick("TE xchunked", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
                new Trick("TE chunked, identity", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501),
                new Trick("TE gzip, chunked", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
                new Trick("TE identity", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: identity\r\n\r\n", 501),
                new Trick("two TE", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 501),
                new Trick("TE behind a vertical tab", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: \u000bchunked\r\n\r\n0\r\n\r\n", 400),
                new Trick("TE with an underscore", "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                new Trick("CL with an underscore", "POST / HTTP/1.1\r\nHost: HOST\r\nContent_Length: 5\r\n\r\nhello", 400),
                new Trick("TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                new Trick("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                new Trick("HTTP/0.9", "GET /\r\n\r\n", 400),
                new Trick("version in small letters", "GET / http/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("version 1.2", "GET / HTTP/1.2\r\nHost: HOST\r\n\r\n", 505),
                new Trick("version 1.10", "GET / HTTP/1.10\r\nHost: HOST\r\n\r\n", 400),
                new Trick("two spaces", "GET  / HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("tab for a space", "GET\t/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("space in the target", "GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("space after the version", "GET / HTTP/1.1 \r\nHost: HOST\r\n\r\n", 400),
                new Trick("empty line first", "\r\nGET / HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("method in small letters", "get / HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("fragment", "GET /#a HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("target beyond ASCII", "GET /\u00e4 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
                new Trick("two Hosts", "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", 400),
                new Trick("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 421),
                new Trick("another Host", "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421),
                new Trick("a Host that ends alike", "GET / HTTP/1.1\r\nHost: evil-HOST\r\n\r\n", 421),
                new Trick("a Host that begins alike", "GET / HTTP/1.1\r\nHost: HOST.evil.test\r\n\r\n", 421),
                new Trick("user in Host", "GET / HTTP/1.1\r\nHost: HOST@evil.test\r\n\r\n", 421),
                new Trick("list in Host", "GET / HTTP/1.1\r\nHost: HOST, evil.test\r\n\r\n", 421),
                new Trick("another port in Host", "GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 421),
                new Trick("absolute target elsewhere", "GET http://evil.test/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 421),
                new Trick("absolute target with another port", "GET http://localhost:1/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 421),
                new Trick("absolute target with a user", "GET http://a@HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("absolute target with a user elsewhere", "GET http://HOST@evil.test/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("absolute target of another scheme", "GET https://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("absolute target, Host elsewhere", "GET http://HOST/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421),
                new Trick("target without a scheme", "GET //evil.test\\@ HTTP/1.0\r\n\r\n", 400),
                new Trick("CONNECT", "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", 405),
                new Trick("CONNECT with a path", "CONNECT / HTTP/1.1\r\nHost: HOST\r\n\r\n", 405),
                new Trick("TRACE", "TRACE / HTTP/1.1\r\nHost: HOST\r\n\r\n", 405),
                new Trick("* of GET", "GET * HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("authority as target", "GET HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
                new Trick("another expectation", "POST / HTTP/1.1\r\nHost: HOST\r\nExpect: 200-ok\r\nContent-Length: 0\r\n\r\n", 417),
                new Trick("long request line", "GET /" + "a".repeat(8192) + " HTTP/1.1\r\nHost: HOST\r\n\r\n", 414),
                new Trick("long field", "GET / HTTP/1.1\r\nHost: HOST\r\nX: " + "a".repeat(65_536) + "\r\n\r\n", 431),
                new Trick("many bytes in many fields", "GET / HTTP/1.1\r\nHost: HOST\r\n" + ("X: " + "a".repeat(1000) + "\r\n").repeat(70) + "\r\n", 431),
                new Trick("many fields", "GET / HTTP/1.1\r\nHost: HOST\r\n" + "X: a\r\n".repeat(200) + "\r\n", 431),
                new Trick("TLS where HTTP is spoken", "\u0016\u0003\u0001\u0000\u00a5\u0001\u0000\r\n\r\n", 400));
    }

    @ParameterizedTest
    @MethodSource("tricks")
    void tricksAreRefusedAndTheServerSeesNothing(Trick trick) throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN, server.port())) {
            String answer = bench.exchange(trick.request.replace("HOST", bench.authority()));
            assertThat(answer).startsWith("HTTP/1.1 " + trick.status + " ").contains("Connection: close", "\"error\":\"refused\"");
            assertThat(server.sawNothing()).isTrue();
            assertThat(bench.refusals).singleElement().asString().startsWith(trick.status + " ");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "/a/../admin", "/a/./b", "/..", "/.", "/a/..", "/a/%2e%2e/admin", "/a/%2E./b", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a//b", "//a", "/a;x=1", "/..;/admin", "/a%3bx", "/a%",
            "/a%2", "/a%zz", "/a%00", "/a%0d%0a", "/%61dmin", "/%7euser", "/a%252fb", "/a%3fb", "/a%23b"})
    void pathsThatServersReadInManyWaysAreRefusedWhereRulesAreAboutPaths(String path) throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var strict = new RelayBench(Setup.PLAIN.withPaths(), server.port())) {
            assertThat(strict.exchange("GET " + path + " HTTP/1.1\r\nHost: " + strict.authority() + "\r\n\r\n")).startsWith("HTTP/1.1 403 ").contains("where rules are about paths");
            assertThat(server.sawNothing()).isTrue();
            try (var loose = new RelayBench(Setup.PLAIN, server.port()); var client = loose.connect()) {
                client.send("GET " + path + " HTTP/1.1\r\nHost: " + loose.authority() + "\r\n\r\n");
                assertThat(client.answer()).isEqualTo(OK);
                assertThat(server.request()).startsWith("GET " + path + " HTTP/1.1\r\n");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/", "/a", "/a/", "/a/b.c", "/.well-known/x", "/a..b", "/...", "/a%20b", "/%C3%A4", "/@scope/name", "/v1/x:run", "/a?b=../c&d=%2e%2e//"})
    void pathsThatEverybodyReadsAlikePassWhereRulesAreAboutPaths(String path) throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN.withPaths(), server.port()); var client = bench.connect()) {
            client.send("GET " + path + " HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(bench.requests).containsExactly("GET " + path.replaceAll("\\?.*", ""));
        }
    }

    @Test
    void theServerGetsWhatWasUnderstoodAndNothingElse() throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("POST http://LOCALHOST:" + bench.port() + "?q=1 HTTP/1.1\r\nhost:   " + bench.authority() + "  \r\nX-One: \t a  b \t\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
                    + "TE: trailers\r\nTrailer: X-T\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: x\r\nX-Empty:\r\nX-One: again\r\nContent-Length: 5\r\n\r\nhello");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(server.request()).isEqualTo("POST /?q=1 HTTP/1.1\r\nHost: " + bench.authority() + "\r\nX-One: a  b\r\nX-Empty: \r\nX-One: again\r\nContent-Length: 5\r\n\r\nhello");
            assertThat(bench.requests).containsExactly("POST /");
            assertThat(bench.answers).containsExactly("POST / 200");
        }
    }

    @Test
    void everyRequestOfAConnectionIsJudgedAndTheAnswerSaysWhy() throws Exception {
        var setup = Setup.PLAIN.judging((method, path) -> method.equals("GET") ? new RelayOwner.Allowed("request:1") : new RelayOwner.Denied("tenant:read-only", "DELETE " + path + " is \"not\" allowed"));
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(setup, server.port()); var client = bench.connect()) {
            client.send("GET /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\nDELETE /b?c HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\nGET /c HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(client.rest()).isEqualTo("HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 85\r\nCaisson-Egress: denied\r\nConnection: close\r\n\r\n"
                    + "{\"error\":\"denied\",\"rule\":\"tenant:read-only\",\"reason\":\"DELETE /b is \\\"not\\\" allowed\"}\n");
            assertThat(bench.requests).containsExactly("GET /a", "DELETE /b");
            assertThat(server.request()).startsWith("GET /a ");
            assertThat(server.hasNoMore()).isTrue();
        }
    }

    @Test
    void whatIsDeniedIsNotDialedAndNotCounted() throws Exception {
        var setup = Setup.PLAIN.judging((_, _) -> new RelayOwner.Denied("request:default", "nothing allows it"));
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(setup, server.port())) {
            String big = "POST /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nContent-Length: 100000\r\n\r\n" + "x".repeat(100_000);
            assertThat(bench.exchange(big)).startsWith("HTTP/1.1 403 Forbidden\r\n").endsWith("\"reason\":\"nothing allows it\"}\n");
            assertThat(bench.exchange("HEAD /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n")).startsWith("HTTP/1.1 403 ").endsWith("\r\n\r\n");
            assertThat(server.sawNothing()).isTrue();
            assertThat(bench.sent.get() + bench.received.get()).isZero();
        }
    }

    @Test
    void bytesToAndFromTheServerAreCounted() throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("POST /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nContent-Length: 1000\r\n\r\n" + "x".repeat(1000));
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(bench.sent.get()).isEqualTo(server.request().length());
            assertThat(bench.received.get()).isEqualTo(OK.length());
        }
    }

    @Test
    void headsUpToTheirBoundPass() throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            String line = "GET /" + "a".repeat(8192 - "GET / HTTP/1.1".length()) + " HTTP/1.1\r\n";
            String host = "Host: " + bench.authority() + "\r\n";
            client.send(line + host + "X: " + "b".repeat(65_536 - host.length() - "X: \r\n".length() - 2) + "\r\n\r\n");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(server.request()).contains("b".repeat(65_000));
            client.send("GET / HTTP/1.1\r\n" + host + "X: a\r\n".repeat(199) + "\r\n");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(server.request().split("\r\nX: a", -1)).hasSize(200);
        }
    }

    @Test
    void chunksAreReadAndWrittenAnewAndTrailersAreDropped() throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00003\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"));
                var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("POST /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nTransfer-Encoding: Chunked\r\n\r\n0005\r\nhello\r\n1\r\n!\r\n0\r\nX-Smuggled: 1\r\nContent-Length: 3\r\n\r\n");
            String answer = client.until("0\r\n\r\n");
            assertThat(answer).startsWith("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").doesNotContain("X-Trailer");
            assertThat(unchunked(answer)).isEqualTo("abc0123456789");
            String request = server.request();
            assertThat(request).contains("\r\nTransfer-Encoding: chunked\r\n").doesNotContain("X-Smuggled", "Content-Length");
            assertThat(unchunked(request)).isEqualTo("hello!");
            client.send("GET /next HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
            client.until("0\r\n\r\n");
            assertThat(server.connections()).isEqualTo(1);
        }
    }

    private static String unchunked(String message) {
        String rest = message.substring(message.indexOf("\r\n\r\n") + 4);
        var content = new StringBuilder();
        while (true) {
            int end = rest.indexOf("\r\n");
            int size = Integer.parseInt(rest.substring(0, end), 16);
            if (size == 0) {
                return content.toString();
            }
            content.append(rest, end + 2, end + 2 + size);
            rest = rest.substring(end + 2 + size + 2);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"5;ext=1\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "\r\nhello", "-5\r\nhello\r\n",
            "FFFFFFFFFFFFFFFFF\r\n", "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "5\r\nhello\r\n0\r\n folded\r\n\r\n", "5\r\nhello\n0\r\n\r\n"})
    void brokenChunksNeverLookWholeToTheServer(String content) throws Exception {
        var broken = new CountDownLatch(1);
        try (var server = new ScriptedServer(connection -> {
            try {
                connection.request();
            } catch (IOException e) {
                broken.countDown();
            }
        }); var bench = new RelayBench(Setup.PLAIN, server.port())) {
            assertThat(bench.exchange("POST /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nTransfer-Encoding: chunked\r\n\r\n" + content)).startsWith("HTTP/1.1 400 Bad Request\r\n");
            assertThat(broken.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(server.hasNoMore()).isTrue();
        }
    }

    @Test
    void contentThatBreaksOffNeverLooksWholeToTheServer() throws Exception {
        var broken = new CountDownLatch(1);
        try (var server = new ScriptedServer(connection -> {
            connection.head();
            if (connection.in.readAllBytes().length < 100) {
                broken.countDown();
            }
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("POST /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nContent-Length: 100\r\n\r\nonly this");
            client.socket().close();
            assertThat(broken.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(bench.ended()).isNotEmpty();
        }
    }

    @Test
    void contentIsAskedForOnceTheRequestIsAllowed() throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("PUT /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
            assertThat(client.until("\r\n\r\n")).isEqualTo("HTTP/1.1 100 Continue\r\n\r\n");
            client.send("hello");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(server.request()).endsWith("\r\n\r\nhello").doesNotContain("Expect");
        }
        var denying = Setup.PLAIN.judging((_, _) -> new RelayOwner.Denied("request:default", "no"));
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(denying, server.port())) {
            assertThat(bench.exchange("PUT /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")).startsWith("HTTP/1.1 403 ");
        }
    }

    @Test
    void answersWithoutContentLeaveTheConnectionInStep() throws Exception {
        try (var server = new ScriptedServer(connection -> {
            for (String request = connection.request(); !request.isEmpty(); request = connection.request()) {
                connection.answer(request.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
                        : request.startsWith("GET /304") ? "HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\nETag: x\r\n\r\n"
                        : request.startsWith("GET /204") ? "HTTP/1.1 204 No Content\r\n\r\n"
                        : request.startsWith("GET /103") ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK : OK);
            }
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            String rest = " HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n";
            client.send("HEAD /" + rest);
            assertThat(client.until("\r\n\r\n")).isEqualTo("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
            client.send("GET /304" + rest);
            assertThat(client.until("\r\n\r\n")).isEqualTo("HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 700\r\n\r\n");
            client.send("GET /204" + rest);
            assertThat(client.until("\r\n\r\n")).isEqualTo("HTTP/1.1 204 No Content\r\n\r\n");
            client.send("GET /103" + rest);
            assertThat(client.until("\r\n\r\n")).isEqualTo("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(server.connections()).isEqualTo(1);
        }
    }

    @Test
    void anAnswerThatEndsWithItsConnectionIsDelimitedForTheClient() throws Exception {
        try (var server = new ScriptedServer(connection -> {
            connection.request();
            connection.answer("HTTP/1.0 200 Fine\r\nX: y\r\nAlt-Svc: h3=\":443\"\r\nConnection: close, X\r\n\r\nall of it");
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            for (int i = 0; i < 2; i++) {
                client.send("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
                String answer = client.until("0\r\n\r\n");
                assertThat(answer).startsWith("HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n");
                assertThat(unchunked(answer)).isEqualTo("all of it");
            }
            assertThat(bench.exchange("GET / HTTP/1.0\r\nHost: " + bench.authority() + "\r\n\r\n")).isEqualTo("HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\nall of it");
        }
    }

    @Test
    void eventsArriveWhileTheAnswerGoesOn() throws Exception {
        var arrived = new CountDownLatch(1);
        try (var server = new ScriptedServer(connection -> {
            connection.request();
            connection.answer("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
            if (arrived.await(10, TimeUnit.SECONDS)) {
                connection.answer("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
            }
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
            client.until("data: 1\n\n\r\n");
            arrived.countDown();
            assertThat(client.until("0\r\n\r\n")).contains("data: 2\n\n");
        }
    }

    @Test
    void aServerMayAnswerBeforeItHasReadEverything() throws Exception {
        try (var server = new ScriptedServer(connection -> {
            connection.head();
            connection.answer("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop");
            connection.socket.shutdownOutput();
            connection.in.readNBytes(1000);
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("POST / HTTP/1.1\r\nHost: " + bench.authority() + "\r\nContent-Length: 10000000\r\n\r\n" + "x".repeat(2000));
            assertThat(client.answer()).isEqualTo("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop");
        }
    }

    @Test
    void contentAndAnswerMayFlowAtTheSameTime() throws Exception {
        try (var server = new ScriptedServer(connection -> {
            connection.head();
            connection.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 3; i++) {
                var size = new StringBuilder();
                for (int next = connection.in.read(); next != '\n'; next = connection.in.read()) {
                    size.append((char) next);
                }
                byte[] piece = connection.in.readNBytes(Integer.parseInt(size.toString().strip(), 16) + 2);
                connection.answer(size.toString().strip() + "\r\n" + new String(piece, java.nio.charset.StandardCharsets.ISO_8859_1));
            }
            connection.answer("0\r\n\r\n");
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("POST / HTTP/1.1\r\nHost: " + bench.authority() + "\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 3; i++) {
                client.send("4\r\nno " + i + "\r\n");
                client.until("4\r\nno " + i + "\r\n");
            }
            client.send("0\r\n\r\n");
            client.until("0\r\n\r\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "nonsense\r\n\r\n", "",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "HTTP/1.1 200 OK\r\n"})
    void answersThatAreNotHttpAreNotPassedOn(String answer) throws Exception {
        try (var server = new ScriptedServer(connection -> {
            connection.request();
            connection.answer(answer);
        }); var bench = new RelayBench(Setup.PLAIN, server.port())) {
            assertThat(bench.exchange("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n")).startsWith("HTTP/1.1 502 Bad Gateway\r\n").contains("\"error\":\"upstream-failed\"", bench.authority());
        }
    }

    @Test
    void endlessHeadsAndInterimAnswersAreNotReadForEver() throws Exception {
        for (String endless : List.of("HTTP/1.1 103 Early Hints\r\n\r\n", "X: " + "a".repeat(1000) + "\r\n")) {
            try (var server = new ScriptedServer(connection -> {
                connection.request();
                connection.answer(endless.startsWith("X") ? "HTTP/1.1 200 OK\r\n" : "");
                while (true) {
                    connection.answer(endless);
                }
            }); var bench = new RelayBench(Setup.PLAIN, server.port())) {
                assertThat(bench.exchange("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n")).contains("HTTP/1.1 502 Bad Gateway\r\n");
            }
        }
    }

    @Test
    void whatFollowsAnAnswerIsNotTheAnswerToTheNextRequest() throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK + "HTTP/1.1 200 Injected\r\nContent-Length: 3\r\n\r\nbad")); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            for (int i = 0; i < 3; i++) {
                client.send("GET /" + i + " HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
                assertThat(client.answer()).isEqualTo(OK);
                assertThat(server.request()).startsWith("GET /" + i);
            }
            assertThat(server.connections()).isEqualTo(3);
        }
    }

    @Test
    void anAnswerThatBreaksOffLooksBrokenToTheClient() throws Exception {
        for (String broken : List.of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx")) {
            try (var server = new ScriptedServer(connection -> {
                connection.request();
                connection.answer(broken);
            }); var bench = new RelayBench(Setup.PLAIN, server.port())) {
                assertThat(bench.exchange("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n")).startsWith("HTTP/1.1 200 OK\r\n").contains("abc").doesNotEndWith("0\r\n\r\n");
            }
        }
    }

    @Test
    void aConnectionThatTheServerHasEndedIsReplacedAndNothingIsSentTwice() throws Exception {
        try (var server = new ScriptedServer(connection -> {
            connection.request();
            connection.answer(OK);
            connection.socket.close();
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            for (int i = 0; i < 5; i++) {
                client.send("GET /" + i + " HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
                assertThat(client.answer()).isEqualTo(OK);
                assertThat(server.request()).startsWith("GET /" + i);
            }
            assertThat(server.hasNoMore()).isTrue();
        }
    }

    @Test
    void aServerThatDoesNotAnswerIsNamed() throws Exception {
        int nobody;
        try (var server = new ScriptedServer(ScriptedServer.always(OK))) {
            nobody = server.port();
        }
        try (var bench = new RelayBench(Setup.PLAIN, nobody)) {
            assertThat(bench.exchange("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n")).startsWith("HTTP/1.1 502 Bad Gateway\r\n").contains("Connection refused", bench.authority());
        }
        try (var server = new ScriptedServer(connection -> connection.request()); var bench = new RelayBench(Setup.PLAIN, server.port())) {
            assertThat(bench.exchange("POST / HTTP/1.1\r\nHost: " + bench.authority() + "\r\nContent-Length: 2\r\n\r\nhi")).startsWith("HTTP/1.1 502 Bad Gateway\r\n");
            assertThat(server.request()).startsWith("POST");
            assertThat(server.connections()).isEqualTo(1);
        }
    }

    @Test
    void anUpgradeToWebSocketCarriesBytesBothWaysUntilBothEnd() throws Exception {
        try (var server = new ScriptedServer(connection -> {
            connection.request();
            connection.answer("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\nearly");
            for (int next = connection.in.read(); next >= 0; next = connection.in.read()) {
                connection.answer(String.valueOf((char) (next + 1)));
            }
            connection.answer("bye");
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("GET /ws HTTP/1.1\r\nHost: " + bench.authority() + "\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nA");
            assertThat(client.until("\r\n\r\n")).isEqualTo("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            client.until("earlyB");
            client.send("\u0000\u00fe");
            client.until("\u0001\u00ff");
            client.socket().shutdownOutput();
            assertThat(client.rest()).isEqualTo("bye");
            assertThat(bench.ended()).isEmpty();
            assertThat(server.request()).isEqualTo("GET /ws HTTP/1.1\r\nHost: " + bench.authority() + "\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            assertThat(bench.requests).containsExactly("GET /ws");
        }
    }

    @Test
    void aServerMayRefuseAnUpgrade() throws Exception {
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            for (int i = 0; i < 2; i++) {
                client.send("GET /ws HTTP/1.1\r\nHost: " + bench.authority() + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
                assertThat(client.answer()).isEqualTo(OK);
            }
        }
    }

    @Test
    void aRelayCanBeCutAtAnyTime() throws Exception {
        var asked = new CountDownLatch(1);
        try (var server = new ScriptedServer(connection -> {
            connection.request();
            asked.countDown();
            connection.in.read();
        }); var bench = new RelayBench(Setup.PLAIN, server.port()); var client = bench.connect()) {
            client.send("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
            assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();
            bench.onlyRelay().cut("a rule was changed");
            assertThat(bench.ended()).isEqualTo("a rule was changed");
            assertThatThrownBy(() -> client.until("\r\n\r\n")).isInstanceOf(IOException.class);
        }
    }

    @Test
    void slowHeadsIdleConnectionsAndSilentServersAreCut() throws Exception {
        var head = new RelayTimes(Duration.ofMillis(300), Duration.ofMinutes(1), Duration.ofMinutes(1));
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN.within(head), server.port()); var client = bench.connect()) {
            client.send("GET / HTTP/1.1\r\nX: ");
            String ended = bench.ends.poll(20, TimeUnit.MILLISECONDS);
            for (int i = 0; i < 500 && ended == null; i++) {
                client.socket().getOutputStream().write('x');
                ended = bench.ends.poll(20, TimeUnit.MILLISECONDS);
            }
            assertThat(ended).isEqualTo("a request's head took too long");
        }
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN.within(head), server.port()); var client = bench.connect()) {
            client.send("GET / HTTP/1.1\r\nHo");
            assertThat(bench.ended()).isEqualTo("a request's head took too long");
        }
        var idle = new RelayTimes(Duration.ofMinutes(1), Duration.ofMillis(300), Duration.ofMinutes(1));
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(Setup.PLAIN.within(idle), server.port()); var client = bench.connect()) {
            client.send("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(bench.ended()).isEqualTo("no further request came");
        }
        var silent = new RelayTimes(Duration.ofMinutes(1), Duration.ofMinutes(1), Duration.ofMillis(300));
        try (var server = new ScriptedServer(connection -> {
            connection.request();
            connection.in.read();
        }); var bench = new RelayBench(Setup.PLAIN.within(silent), server.port()); var client = bench.connect()) {
            client.send("GET / HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n");
            assertThat(bench.ended()).isEqualTo("nothing moved any more");
        }
    }
}
