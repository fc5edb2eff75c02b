package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.egress.RelayBench.Setup;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import dev.caisson.sandbox.SecretBinding.Place;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Where values of secrets go, and where they never do.
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SecretsTest {
    private static final String HOST = "api.example.com";
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\nok";
    private static final String VALUE = "sk-live \"42\"&=\\/ü";
    private static final String SENT = new String(VALUE.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);

    private final TlsLab lab;
    private final SecretSeal seal;

    SecretsTest(@TempDir Path directory) throws Exception {
        lab = new TlsLab(directory);
        seal = lab.key.seal(new SecureRandom());
    }

    private SecretBinding binding(String name, String host, Set<Place> places, String value) {
        return seal.bind(name, List.of(HostPattern.parse(host)), places, SecretValue.taking(value.toCharArray()));
    }

    private SecretBinding token(Place... places) {
        return binding("TOKEN", HOST, Set.of(places), VALUE);
    }

    private Setup with(SecretBinding... bindings) {
        return Setup.PLAIN.at(HOST).opening(lab.tls).with(SandboxSecrets.open(List.of(bindings), lab.key));
    }

    /// What the server got when the client sent that, and what the client got back.
    private record Passed(String request, String answer, List<String> seen) {}

    private Passed pass(Setup setup, String firstLine, String fields, String content, String answer) throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(answer)); var bench = new RelayBench(setup, server.port()); var client = lab.connect(bench, HOST)) {
            client.send(firstLine + " HTTP/1.1\r\nHost: " + bench.authority() + "\r\n" + fields + "\r\n" + content);
            String got = answer.contains("Content-Length: ") && !answer.contains("text/") ? client.answer() : client.until("0\r\n\r\n");
            return new Passed(server.request(), got, List.copyOf(bench.placeholders));
        }
    }

    private String refused(Setup setup, String request) throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(OK)); var bench = new RelayBench(setup, server.port()); var client = lab.connect(bench, HOST)) {
            client.send(request.replace("HOST", bench.authority()));
            String answer = client.rest();
            assertThat(server.sawNothing()).isTrue();
            return answer;
        }
    }

    @Test
    void aHeaderCarriesTheValueToTheBoundHost() throws Exception {
        var token = token();
        var passed = pass(with(token), "GET /a", "Authorization: Bearer " + token.placeholder() + "\r\nX-Twice: " + token.placeholder() + "," + token.placeholder() + "!\r\nAccept-Encoding: gzip, br\r\n", "", OK);
        assertThat(passed.request).contains("\r\nAuthorization: Bearer " + SENT + "\r\n", "\r\nX-Twice: " + SENT + "," + SENT + "!\r\n", "\r\nAccept-Encoding: identity\r\n").doesNotContain("csn-", "gzip");
        assertThat(passed.seen).isEmpty();
    }

    @Test
    void basicCredentialsAreTakenApartAndPutTogetherAgain() throws Exception {
        var token = token();
        String pair = Base64.getEncoder().encodeToString(("user:" + token.placeholder()).getBytes(StandardCharsets.ISO_8859_1));
        var passed = pass(with(token), "GET /a", "authorization: basic " + pair + "\r\n", "", OK);
        assertThat(passed.request).contains("\r\nauthorization: Basic " + Base64.getEncoder().encodeToString(("user:" + VALUE).getBytes(StandardCharsets.UTF_8)) + "\r\n");
        String others = "Authorization: Basic dXNlcjpwYXNz\r\nX: Basic " + pair + "\r\n";
        assertThat(pass(with(token), "GET /a", others, "", OK).request).contains(others);
        assertThat(pass(with(token), "GET /a", "Authorization: Basic %%%\r\n", "", OK).request).contains("Authorization: Basic %%%\r\n");
    }

    @Test
    void aQueryCarriesItEscapedWhereTheBindingSaysSo() throws Exception {
        var token = token(Place.QUERY);
        var passed = pass(with(token), "GET /a?key=" + token.placeholder() + "&x=1", "X: " + token.placeholder() + "\r\n", "", OK);
        assertThat(passed.request).startsWith("GET /a?key=sk-live%20%2242%22%26%3D%5C%2F%C3%BC&x=1 HTTP/1.1\r\n").contains("X: " + token.placeholder());
        assertThat(passed.seen).containsExactly("TOKEN in header X");
    }

    @Test
    void contentCarriesItInItsOwnFormWhereTheBindingSaysSo() throws Exception {
        var token = token(Place.BODY);
        String json = "{\"key\":\"" + token.placeholder() + "\"}";
        var passed = pass(with(token), "POST /a", "Content-Type: application/json; charset=utf-8\r\nContent-Length: " + json.length() + "\r\n", json, OK);
        String expected = "{\"key\":\"sk-live \\\"42\\\"&=\\\\/" + SENT.substring(SENT.length() - 2) + "\"}";
        assertThat(passed.request).contains("Content-Length: " + expected.length() + "\r\n").endsWith("\r\n\r\n" + expected);

        String form = "a=1&key=" + token.placeholder();
        assertThat(pass(with(token), "POST /a", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " + form.length() + "\r\n", form, OK).request)
                .endsWith("\r\n\r\na=1&key=sk-live%20%2242%22%26%3D%5C%2F%C3%BC");

        String text = "key: " + token.placeholder() + " end";
        assertThat(pass(with(token), "POST /a", "Content-Length: " + text.length() + "\r\n", text, OK).request).endsWith("\r\n\r\nkey: " + SENT + " end");
    }

    @Test
    void contentThatIsLongOrCutIntoChunksIsReplacedWhileItFlows() throws Exception {
        var token = token(Place.BODY);
        String half = token.placeholder().substring(0, 20);
        String rest = token.placeholder().substring(20);
        var chunked = pass(with(token), "POST /a", "Transfer-Encoding: chunked\r\n", "14\r\n" + half + "\r\n10\r\n" + rest + "\r\n0\r\n\r\n", OK);
        assertThat(chunked.request).contains("Transfer-Encoding: chunked\r\n\r\n" + Integer.toHexString(SENT.length()) + "\r\n" + SENT + "\r\n0\r\n\r\n");
        String big = "x".repeat(1_500_000) + token.placeholder() + "y".repeat(70_000);
        var passed = pass(with(token), "POST /a", "Content-Length: " + big.length() + "\r\n", big, OK);
        assertThat(passed.request).contains("Transfer-Encoding: chunked\r\n", SENT).doesNotContain(token.placeholder(), "Content-Length");
    }

    @Test
    void contentThatWaitsToBeAskedForIsReplacedToo() throws Exception {
        var token = token(Place.BODY);
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(OK)); var bench = new RelayBench(with(token), server.port()); var client = lab.connect(bench, HOST)) {
            client.send("POST / HTTP/1.1\r\nHost: " + bench.authority() + "\r\nExpect: 100-continue\r\nContent-Length: " + token.placeholder().length() + "\r\n\r\n");
            assertThat(client.until("\r\n\r\n")).isEqualTo("HTTP/1.1 100 Continue\r\n\r\n");
            client.send(token.placeholder());
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(server.request()).endsWith("\r\n\r\n" + SENT);
        }
    }

    @Test
    void contentThatCannotBeSeenIsRefusedWhereItShouldBeReplaced() throws Exception {
        assertThat(refused(with(token(Place.BODY)), "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")).startsWith("HTTP/1.1 415 ");
        var header = token();
        assertThat(pass(with(header), "POST /a", "Content-Encoding: gzip\r\nContent-Length: 4\r\n", "abcd", OK).request).endsWith("\r\n\r\nabcd");
    }

    @Test
    void aPlaceholderForAnotherHostIsToldAndNotReplaced() throws Exception {
        var token = token();
        var other = binding("OTHER", "*.example.org", EnumSet.allOf(Place.class), "other-value");
        String content = "{\"x\":\"" + other.placeholder() + "\"}";
        var passed = pass(with(token, other), "POST /" + other.placeholder() + "?q=" + other.placeholder(),
                "X: " + other.placeholder() + "\r\nAuthorization: Basic " + Base64.getEncoder().encodeToString(("u:" + other.placeholder()).getBytes(StandardCharsets.US_ASCII)) + "\r\nY: " + token.placeholder()
                        + "\r\nContent-Length: " + content.length() + "\r\n",
                content, OK);
        assertThat(passed.request).doesNotContain("other-value").contains("/" + other.placeholder() + "?q=" + other.placeholder(), "X: " + other.placeholder(), "Y: " + SENT).endsWith(content);
        assertThat(passed.seen).containsExactlyInAnyOrder("OTHER in path", "OTHER in query", "OTHER in header X", "OTHER in header Authorization", "OTHER in body");
    }

    @Test
    void placesThatTheBindingDoesNotNameAreNotReplaced() throws Exception {
        var token = token();
        String content = "key=" + token.placeholder();
        var passed = pass(with(token), "POST /" + token.placeholder() + "?k=" + token.placeholder(), "Content-Length: " + content.length() + "\r\n", content, OK);
        assertThat(passed.request).doesNotContain("sk-live").endsWith(content);
        assertThat(passed.seen).containsExactlyInAnyOrder("TOKEN in path", "TOKEN in query", "TOKEN in body");
    }

    @Test
    void nothingIsReplacedWithoutTls() throws Exception {
        var token = token(Place.HEADER, Place.QUERY, Place.BODY);
        var plain = Setup.PLAIN.at(HOST).with(SandboxSecrets.open(List.of(token), lab.key));
        try (var server = new ScriptedServer(ScriptedServer.always(OK)); var bench = new RelayBench(plain, server.port()); var client = bench.connect()) {
            client.send("POST /?q=" + token.placeholder() + " HTTP/1.1\r\nHost: " + bench.authority() + "\r\nX: " + token.placeholder() + "\r\nContent-Length: 36\r\n\r\n" + token.placeholder());
            assertThat(client.answer()).isEqualTo(OK);
            assertThat(server.request()).doesNotContain("sk-live").contains("X: " + token.placeholder()).endsWith("\r\n\r\n" + token.placeholder());
            assertThat(bench.placeholders).containsExactlyInAnyOrder("TOKEN in query", "TOKEN in header X", "TOKEN in body");
        }
    }

    @Test
    void valuesWithLineBreaksDoNotGoIntoHeaders() throws Exception {
        for (String value : List.of("a\r\nHost: evil.test", "line\n", "nul\0", "escape\u001b")) {
            var token = binding("TOKEN", HOST, Set.of(), value);
            String answer = refused(with(token), "GET / HTTP/1.1\r\nHost: HOST\r\nX: " + token.placeholder() + "\r\n\r\n");
            assertThat(answer).startsWith("HTTP/1.1 403 ").contains("the secret TOKEN has a line break").doesNotContain(value);
        }
        var body = binding("KEY", HOST, Set.of(Place.BODY), "-----BEGIN\nKEY-----\n");
        assertThat(pass(with(body), "POST /", "Content-Length: 36\r\n", body.placeholder(), OK).request).endsWith("\r\n\r\n-----BEGIN\nKEY-----\n");
    }

    @Test
    void manyPlaceholdersDoNotMakeAHeadWithoutBounds() throws Exception {
        var big = binding("BIG", HOST, Set.of(), "v".repeat(16_000));
        assertThat(refused(with(big), "GET / HTTP/1.1\r\nHost: HOST\r\nX: " + (big.placeholder() + " ").repeat(20) + "\r\n\r\n")).startsWith("HTTP/1.1 431 ");
        assertThat(refused(with(big), "GET / HTTP/1.1\r\nHost: HOST\r\n" + ("X: " + big.placeholder() + "\r\n").repeat(20) + "\r\n")).startsWith("HTTP/1.1 431 ");
    }

    @Test
    void aServerThatShowsWhatItIsSentShowsPlaceholders() throws Exception {
        var token = token();
        String basic = Base64.getEncoder().encodeToString(("u:" + VALUE).getBytes(StandardCharsets.UTF_8));
        String said = Base64.getEncoder().encodeToString(("u:" + token.placeholder()).getBytes(StandardCharsets.US_ASCII));
        String echo = "raw " + SENT + " json \"sk-live \\\"42\\\"&=\\\\/" + SENT.substring(SENT.length() - 2) + "\" uri sk-live%20%2242%22%26%3D%5C%2F%C3%BC basic " + basic + " end";
        var passed = pass(with(token), "GET /", "Authorization: Basic " + said + "\r\n", "",
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Echo: <" + SENT + ">\r\nContent-Length: " + echo.length() + "\r\n\r\n" + echo);
        assertThat(passed.answer).contains("X-Echo: <" + token.placeholder() + ">", "raw " + token.placeholder(), "json \"" + token.placeholder() + "\" uri " + token.placeholder(), " basic " + said + " end")
                .doesNotContain("sk-live", basic);
    }

    @Test
    void contentThatIsNotTextIsNotTouched() throws Exception {
        var token = token();
        String answer = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " + SENT.length() + "\r\n\r\n" + SENT;
        assertThat(pass(with(token), "GET /", "", "", answer).answer).isEqualTo(answer);
    }

    @Test
    void aSecretWhosePlaceholderBeginsLikeAnothersIsNotMixedUp() throws Exception {
        var sealed = binding("LONG", HOST, Set.of(), "value-of-long");
        var longer = new SecretBinding("LONG", "csn-" + "a".repeat(30), sealed.hosts(), sealed.places(), sealed.sealed());
        var other = binding("SHORT", HOST, Set.of(), "value-of-short");
        var shorter = new SecretBinding("SHORT", "csn-" + "a".repeat(22), other.hosts(), other.places(), other.sealed());
        assertThat(pass(with(shorter, longer), "GET /", "X: " + longer.placeholder() + "\r\nY: " + shorter.placeholder() + "\r\n", "", OK).request).contains("X: value-of-long\r\n", "Y: value-of-short\r\n");
    }
}
