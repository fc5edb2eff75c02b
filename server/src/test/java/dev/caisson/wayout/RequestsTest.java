package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Internet;
import dev.caisson.wayout.Probes.Probe;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// A request is read once: what is judged is what is sent.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class RequestsTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    /// How a request gets to the gateway: as it is, or in TLS that is opened there.
    enum Way {
        PLAIN,
        OPENED
    }

    private static Probe request(Way way, String host, String request) {
        return way == Way.PLAIN ? probe("http", host, 80, request) : probe("tls", host, 443, host, request);
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void theHostMustAgree(Way way) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.opened("allowed.example"), Rules.opened("api.allowed.example")));
        var refused = new ArrayList<Probe>();
        for (String host : List.of("denied.example", "fronted.example", "api.allowed.example", "evilallowed.example", "allowed.example.evil.test", "192.0.2.10", "192.0.2.20", "[2001:db8::10]", "", "localhost",
                "denied.example@allowed.example", "allowed.example@denied.example", "user:pass@allowed.example", "denied.example\0.allowed.example", "allowed.example\0.denied.example", "allowed.example, denied.example",
                "allowed.example denied.example", "allowed.example/denied.example", "allowed.example#", "allowed.example?", "\u0430llowed.example", "allowed.example\u00ff", "allowed..example", ".allowed.example", "*.example",
                "allowed.example:x", "allowed.example:-1", "allowed.example:65536", "allowed.example:22", "allowed.example:0443")) {
            refused.add(request(way, "allowed.example", "GET / HTTP/1.1\r\nHost: " + new String(host.getBytes(java.nio.charset.StandardCharsets.UTF_8), java.nio.charset.StandardCharsets.ISO_8859_1) + "\r\nConnection: close\r\n\r\n"));
        }
        for (String head : List.of(
                // None, two, one that agrees and one that does not, in either order, folded, with a space.
                "GET / HTTP/1.1\r\nConnection: close\r\n", "GET / HTTP/1.0\r\n", "GET /\r\n", "GET / HTTP/1.1\r\nHost: allowed.example\r\nHost: denied.example\r\n", "GET / HTTP/1.1\r\nHost: denied.example\r\nhost: allowed.example\r\n",
                "GET / HTTP/1.1\r\nHost: allowed.example\r\nHost: allowed.example\r\n", "GET / HTTP/1.1\r\nHost:\r\n allowed.example\r\n", "GET / HTTP/1.1\r\nHost : allowed.example\r\n", "GET / HTTP/1.1\r\n Host: allowed.example\r\n",
                "GET / HTTP/1.1\r\nX: y\r\n Host: allowed.example\r\n",
                // The target says something else, or asks for a tunnel.
                "GET http://denied.example/ HTTP/1.1\r\nHost: allowed.example\r\n", "GET https://denied.example/ HTTP/1.1\r\nHost: allowed.example\r\n", "GET //denied.example/ HTTP/1.1\r\nHost: denied.example\r\n",
                "CONNECT denied.example:443 HTTP/1.1\r\nHost: allowed.example\r\n", "CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example\r\n", "CONNECT allowed.example:22 HTTP/1.1\r\nHost: allowed.example:22\r\n",
                "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n", "GET @denied.example/ HTTP/1.1\r\nHost: allowed.example\r\n", "GET allowed.example HTTP/1.1\r\nHost: allowed.example\r\n",
                "GET http://allowed.example@denied.example/ HTTP/1.1\r\nHost: allowed.example\r\n")) {
            refused.add(request(way, "allowed.example", head + "\r\n"));
        }
        int then = CAISSON.internet().now();
        var outcomes = probes.make(refused);
        assertThat(outcomes).as("answers").noneMatch(outcome -> outcome.got().contains("\"address\""));
        assertThat(outcomes).as("in time").allMatch(outcome -> outcome.millis() < 5_000, "told at once");
        assertThat(CAISSON.internet().since(then)).filteredOn(event -> event.kind().equals("http")).isEmpty();
        // The positive twins: other spellings of the same host.
        String port = way == Way.PLAIN ? "80" : "443";
        assertThat(probes.make(List.of(request(way, "allowed.example", Probes.get("allowed.example", "/")), request(way, "allowed.example", Probes.get("ALLOWED.example", "/")),
                request(way, "allowed.example", Probes.get("allowed.example:" + port, "/"))))).allMatch(outcome -> outcome.got().startsWith("HTTP/1.1 200"));
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theSameFromEveryTier(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.opened("allowed.example")));
        int then = CAISSON.internet().now();
        for (Way way : Way.values()) {
            assertThat(probes.make(List.of(request(way, "allowed.example", Probes.get("denied.example", "/")), request(way, "allowed.example", "CONNECT denied.example:443 HTTP/1.1\r\nHost: denied.example:443\r\n\r\n"))))
                    .noneMatch(outcome -> outcome.got().contains("\"address\""));
        }
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http"));
        assertThat(probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).contains("\"address\"");
    }

    /// Requests in which two readers see different things; in each, what must not become a request of its own is `/smuggled`.
    private static Map<String, String> smuggled() {
        String second = "GET /smuggled HTTP/1.1\r\nHost: raw.example\r\n\r\n";
        String head = "POST /first HTTP/1.1\r\nHost: raw.example\r\n";
        var requests = new LinkedHashMap<String, String>();
        requests.put("length and chunks", head + "Content-Length: " + (5 + second.length()) + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second);
        requests.put("chunks and length", head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + Integer.toHexString(second.length()) + "\r\n" + second + "\r\n0\r\n\r\n");
        requests.put("two lengths", head + "Content-Length: 0\r\nContent-Length: " + second.length() + "\r\n\r\n" + second);
        requests.put("two equal lengths", head + "Content-Length: " + second.length() + "\r\nContent-Length: " + second.length() + "\r\n\r\n" + second);
        requests.put("a list of lengths", head + "Content-Length: 0, " + second.length() + "\r\n\r\n" + second);
        for (String length : List.of("+0", "-1", "0x0", " ", "0 1", "00000000000000000000000", "18446744073709551616", "1e1", "0\u000b")) {
            requests.put("length '" + length + "'", head + "Content-Length: " + length + "\r\n\r\n" + second);
        }
        for (String coding : List.of("identity", "chunked, identity", "identity, chunked", "xchunked", "chunked\u000b", "\"chunked\"", "chunked;q=1", "gzip", "gzip, chunked", "chunked, chunked", ",chunked")) {
            requests.put("coding '" + coding + "'", head + "Transfer-Encoding: " + coding + "\r\n\r\n0\r\n\r\n" + second);
        }
        requests.put("two codings", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + second);
        requests.put("a space before the colon", head + "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n" + second);
        requests.put("a folded coding", head + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + second);
        requests.put("chunks in HTTP/1.0", "POST /first HTTP/1.0\r\nHost: raw.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second);
        for (String chunk : List.of("0x0", "-0", "+0", "00000000000000000", "fffffffffffffffff", "0;\nx", "0;a=\"\r\nb\"", " 0", "0 ", "g", "")) {
            requests.put("chunk '" + chunk + "'", head + "Transfer-Encoding: chunked\r\n\r\n" + chunk + "\r\n\r\n" + second);
        }
        requests.put("a chunk that runs over", head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n" + second);
        requests.put("chunks with bare line feeds", head + "Transfer-Encoding: chunked\r\n\r\n0\n\n" + second);
        requests.put("a head with bare line feeds", "POST /first HTTP/1.1\nHost: raw.example\nContent-Length: 0\n\n" + second);
        requests.put("a bare carriage return", head + "X: a\rContent-Length: 0\r\n\r\n" + second);
        requests.put("a NUL in a field", head + "X: a\0b\r\nContent-Length: 0\r\n\r\n" + second);
        requests.put("a field without a colon", head + "Content-Length\r\n\r\n" + second);
        requests.put("a field without a name", head + ": x\r\n\r\n" + second);
        requests.put("a name with a space", head + "Content Length: 0\r\n\r\n" + second);
        requests.put("a trailer that frames", head + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: " + second.length() + "\r\nHost: denied.example\r\n\r\n");
        requests.put("a target with a line", "GET /first HTTP/1.1\r\nHost: raw.example\r\n\r\nGET /smuggled HTTP/1.1\nHost: raw.example\r\n\r\n");
        requests.put("an upgrade that is none", "GET /first HTTP/1.1\r\nHost: raw.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + second);
        requests.put("an upgrade to HTTP/2", "GET /first HTTP/1.1\r\nHost: raw.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + second);
        requests.put("hop fields that are named", "GET /first HTTP/1.1\r\nHost: raw.example\r\nConnection: Host, Content-Length\r\n\r\n" + second);
        requests.put("a method with a space", "GET /first X HTTP/1.1\r\nHost: raw.example\r\n\r\n" + second);
        requests.put("another version", "GET /first HTTP/1.2\r\nHost: raw.example\r\n\r\n" + second);
        requests.put("another protocol", "GET /first RTSP/1.0\r\nHost: raw.example\r\n\r\n" + second);
        requests.put("a second request", "GET /first HTTP/1.1\r\nHost: raw.example\r\n\r\n" + second);
        return requests;
    }

    /// Only `/first` is allowed, and `/answer/…`: whatever the gateway takes for a request of its own is judged, and whatever it does not must not look like one upstream.
    @ParameterizedTest
    @EnumSource(Way.class)
    void nothingIsSmuggled(Way way) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.requests("raw.example", Set.of("GET", "POST"), "/first")));
        var requests = smuggled();
        int then = CAISSON.internet().now();
        var outcomes = probes.make(requests.values().stream().map(request -> request(way, "raw.example", request)).toList());
        assertThat(outcomes).as("in time").allMatch(outcome -> outcome.millis() < 12_000);
        // The site that parses nothing tells what it got when the connection ends, at most 2 seconds after.
        var got = settled(then);
        assertThat(got).as("requests that arrived").isNotEmpty().allSatisfy(event -> {
            var lines = new ArrayList<>(event.what().lines().filter(line -> line.contains(" HTTP/1.")).toList());
            assertThat(lines).as("%s", event).allMatch(line -> line.equals("GET /first HTTP/1.1") || line.equals("POST /first HTTP/1.1") || line.contains("smuggled") && isInBody(event.what()));
            assertThat(event.what()).contains("Host: raw.example").doesNotContain("Host: denied.example").doesNotContain("\0");
        });
        assertThat(probes.make(request(way, "raw.example", Probes.get("raw.example", "/smuggled"))).got()).doesNotEndWith("raw");
        assertThat(probes.make(request(way, "raw.example", Probes.get("raw.example", "/first"))).got()).endsWith("raw");
    }

    /// What is left of a text when each request's body is taken away by its length, or by its chunks, as written by the gateway, has no other request in it.
    private static boolean isInBody(String got) {
        String rest = got;
        while (!rest.isEmpty()) {
            int end = rest.indexOf("\r\n\r\n");
            if (end < 0) {
                return false;
            }
            String head = rest.substring(0, end);
            if (!head.contains(" /first ")) {
                return false;
            }
            String lower = head.toLowerCase(java.util.Locale.ROOT);
            rest = rest.substring(end + 4);
            var length = java.util.regex.Pattern.compile("\r\ncontent-length: ([0-9]+)").matcher(lower);
            if (lower.contains("\r\ntransfer-encoding: chunked")) {
                int last = rest.indexOf("0\r\n\r\n");
                rest = last < 0 ? "" : rest.substring(last + 5);
            } else if (length.find()) {
                rest = rest.substring(Math.min(rest.length(), Integer.parseInt(length.group(1))));
            }
        }
        return true;
    }

    private static List<Internet.Event> settled(int then) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (true) {
            var all = CAISSON.internet().since(then);
            long connections = all.stream().filter(event -> event.kind().equals("packet") && event.to().equals("192.0.2.18")).count();
            var got = all.stream().filter(event -> event.kind().equals("raw")).toList();
            if (got.size() >= connections) {
                return got.stream().filter(event -> !event.what().isEmpty()).toList();
            }
            if (System.nanoTime() > until) {
                throw new AssertionError(connections + " connections, but only of " + got.size() + " is known what they brought");
            }
            Thread.sleep(20);
        }
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void methodsAndPathsAreJudgedAsSent(Way way) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.requests("raw.example", Set.of("GET"), "/public/*")));
        var refused = new ArrayList<Probe>();
        for (String path : List.of("/", "/public", "/secret", "/PUBLIC/x", "/public/../secret", "/public/./../secret", "/public/%2e%2e/secret", "/public/%2E%2E%2Fsecret", "/public/..%2fsecret", "/public/.%2e/secret", "//secret",
                "/public\\..\\secret", "/public/..\\secret", "/public/..;/secret", "/%70ublic/../secret", "/public/%00", "/public/%", "/public/%zz", "/public/a b", "/public/\u00e9", "/public#/../secret", "public/x", "*",
                "http://raw.example/secret", "/public/%252e%252e/%5c", "/public/x%0d%0aX:%20y/..")) {
            refused.add(request(way, "raw.example", "GET " + path + " HTTP/1.1\r\nHost: raw.example\r\nConnection: close\r\n\r\n"));
        }
        for (String method : List.of("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "Get", "GETX", "G\0ET", "\u00c7ET")) {
            refused.add(request(way, "raw.example", method + " /public/x HTTP/1.1\r\nHost: raw.example\r\nConnection: close\r\nX-HTTP-Method-Override: GET\r\n\r\n"));
        }
        int then = CAISSON.internet().now();
        probes.make(refused);
        assertThat(settled(then)).as("what arrived").allSatisfy(event -> assertThat(event.what()).startsWith("GET /public/").doesNotContain("/../").doesNotContain("secret"));
        assertThat(probes.make(request(way, "raw.example", Probes.get("raw.example", "/public/file?q=/secret"))).got()).endsWith("raw");
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void headsHaveTheirBounds(Way way) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.opened("allowed.example")));
        int then = CAISSON.internet().now();
        String head = "GET / HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n";
        // Command lines are bounded too: these are made inside.
        String big = probes.bash("cat > /tmp/big.py <<'PROGRAM'\n"
                + "import sys\nsys.path.insert(0, '/tmp')\nimport probes\nplain = sys.argv[1] == 'PLAIN'\nhead = " + pythonText(head) + "\n"
                + """
                for name, request in (('field', head + 'X: ' + 'x' * 65536 + '\\r\\n\\r\\n'), ('fields', head + 'X: y\\r\\n' * 20000 + '\\r\\n'), ('target', head.replace('GET /', 'GET /' + 'x' * 70000) + '\\r\\n'),
                                      ('name', head + 'x' * 70000 + ': y\\r\\n\\r\\n'), ('endless', 'G' * 300000)):
                    try:
                        got = probes.http('allowed.example', 80, request) if plain else probes.tls('allowed.example', 443, 'allowed.example', request)
                        print(name, got[:12].replace('\\r\\n', ' '), 'REACHED' if '"address"' in got else '')
                    except Exception as e:
                        print(name, type(e).__name__)
                """ + "PROGRAM\npython3 /tmp/big.py " + way);
        assertThat(big.lines()).hasSize(5);
        assertThat(big).doesNotContain("REACHED");
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("http"));
        assertThat(probes.make(request(way, "allowed.example", head + "X: " + "x".repeat(4_000) + "\r\n\r\n")).got()).contains("\"address\"");
    }

    private static String pythonText(String text) {
        return "'" + text.replace("\r", "\\r").replace("\n", "\\n") + "'";
    }

    @ParameterizedTest
    @ValueSource(strings = {"/answer/two", "/answer/lengths", "/answer/both", "/answer/chunk", "/answer/head", "/answer/garbage", "/answer/short"})
    void anUpstreamThatLiesIsNotPassedOn(String path) throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, Rules.list(Rules.opened("raw.example"), Rules.opened("allowed.example")));
        for (Way way : Way.values()) {
            var outcome = probes.make(request(way, "raw.example", "GET " + path + " HTTP/1.1\r\nHost: raw.example\r\n\r\n"));
            assertThat(outcome.got()).as("%s %s", way, outcome).doesNotContain("smuggled").doesNotContain("\u0001\u0002").hasSizeLessThan(70_000);
            assertThat(outcome.millis()).isLessThan(20_000);
        }
        assertThat(probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).contains("\"address\"");
    }
}
