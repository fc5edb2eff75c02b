package dev.caisson.edge;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.client.Caisson;
import dev.caisson.client.CommandOptions;
import dev.caisson.client.Json;
import dev.caisson.client.Sandbox;
import dev.caisson.client.SandboxOptions;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.jspecify.annotations.Nullable;

/// Real servers in a gVisor sandbox, each on the sandbox's loopback alone, seen through preview URLs over TLS of the installation's own authority.
@Tag("machine")
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class PreviewSandboxTest {
    /// Names below it are this machine, see [dev.caisson.testing.PreviewNames].
    private static final String DOMAIN = "preview.test";

    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    private static @Nullable Caisson caisson;
    private static @Nullable HttpClient client;

    @BeforeAll
    static void open() throws Exception {
        String ready = INSTALLATION.servers().start(Servers.Kind.FRONT, "--listen", "127.0.0.1:0", "--domain", DOMAIN, "--tls-listen", "127.0.0.1:0");
        var said = Json.parseObject(ready);
        caisson = Caisson.connect(said.text("url"), said.text("key"));
        client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).sslContext(trusting(said.text("ca"))).connectTimeout(Duration.ofSeconds(10)).build();
    }

    @AfterAll
    static void close() {
        present(caisson).close();
        present(client).shutdownNow();
    }

    private static SSLContext trusting(String pem) throws Exception {
        var certificate = CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setCertificateEntry("ca", certificate);
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    private static <T> T present(@Nullable T value) {
        if (value == null) {
            throw new IllegalStateException("not open");
        }
        return value;
    }

    private Sandbox sandbox() {
        return present(caisson).create(SandboxOptions.defaults().withPublicPorts());
    }

    /// Starts a server and waits until its port is open.
    private static URI serving(Sandbox sandbox, int port, String... argv) {
        sandbox.start(CommandOptions.of(argv).withTimeout(Duration.ofMinutes(3)));
        var wait = sandbox.run("bash", "-c", "for i in $(seq 200); do (exec 3<>/dev/tcp/127.0.0.1/" + port + ") 2>/dev/null && exit 0; sleep 0.05; done; exit 1");
        assertThat(wait.status()).as(wait.stderrText()).isZero();
        return sandbox.port(port).url();
    }

    private <T> HttpResponse<T> get(URI url, HttpResponse.BodyHandler<T> handler, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(url).timeout(Duration.ofSeconds(30));
        return present(client).send((headers.length == 0 ? request : request.headers(headers)).build(), handler);
    }

    @Test
    void showsAPythonServerOverHttp2() throws Exception {
        try (var sandbox = sandbox()) {
            sandbox.files().write("/tmp/www/index.html", "<h1>hello</h1>".getBytes(StandardCharsets.UTF_8));
            var url = serving(sandbox, 8000, "python3", "-m", "http.server", "8000", "--bind", "127.0.0.1", "--directory", "/tmp/www");
            var answer = get(url, HttpResponse.BodyHandlers.ofString());
            assertThat(answer.version()).isEqualTo(HttpClient.Version.HTTP_2);
            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.body()).isEqualTo("<h1>hello</h1>");
            var closed = get(sandbox.port(8001).url(), HttpResponse.BodyHandlers.ofString());
            assertThat(closed.statusCode()).isEqualTo(502);
            assertThat(closed.body()).contains("port is not open", "\"port\":8001");
        }
    }

    @Test
    void opensAPrivateOneByTokenOrLinkOnly() throws Exception {
        try (var sandbox = present(caisson).create(SandboxOptions.defaults())) {
            var url = serving(sandbox, 8000, "python3", "-m", "http.server", "8000", "--bind", "127.0.0.1");
            assertThat(get(url, HttpResponse.BodyHandlers.ofString()).statusCode()).isEqualTo(403);
            assertThat(get(url, HttpResponse.BodyHandlers.ofString(), "E2B-Traffic-Access-Token", sandbox.port(8000).token()).statusCode()).isEqualTo(200);
            var link = sandbox.link(8000, Duration.ofMinutes(1));
            var first = get(link.url(), HttpResponse.BodyHandlers.ofString());
            assertThat(first.statusCode()).isEqualTo(303);
            assertThat(first.headers().firstValue("location")).contains(url.toString());
            String cookie = first.headers().firstValue("set-cookie").orElseThrow();
            assertThat(cookie).startsWith("__Host-caisson-link=").contains("; Secure").doesNotContain("Domain");
            assertThat(get(url, HttpResponse.BodyHandlers.ofString(), "Cookie", cookie.substring(0, cookie.indexOf(';'))).statusCode()).isEqualTo(200);
        }
    }

    @Test
    void streamsEventsAsTheyCome() throws Exception {
        try (var sandbox = sandbox()) {
            var url = serving(sandbox, 8000, "python3", "-c", """
                    import http.server, time
                    class Handler(http.server.BaseHTTPRequestHandler):
                        protocol_version = 'HTTP/1.1'
                        def do_GET(self):
                            self.send_response(200); self.send_header('Content-Type', 'text/event-stream'); self.end_headers()
                            for i in range(3):
                                self.wfile.write(b'data: %d\\n\\n' % i); self.wfile.flush(); time.sleep(1)
                            self.close_connection = True
                    http.server.ThreadingHTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
                    """);
            long start = System.nanoTime();
            var answer = get(url, HttpResponse.BodyHandlers.ofInputStream());
            try (InputStream in = answer.body()) {
                assertThat(new String(in.readNBytes(9), StandardCharsets.UTF_8)).isEqualTo("data: 0\n\n");
                assertThat(System.nanoTime() - start).isLessThan(900_000_000L);
                assertThat(new String(in.readAllBytes(), StandardCharsets.UTF_8)).isEqualTo("data: 1\n\ndata: 2\n\n");
            }
        }
    }

    @Test
    void echoesAWebSocketOfNode() throws Exception {
        try (var sandbox = sandbox()) {
            var url = serving(sandbox, 9000, "node", "-e", """
                    const http = require('http'), crypto = require('crypto');
                    http.createServer((_, res) => res.end('plain')).on('upgrade', (req, socket) => {
                      const accept = crypto.createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
                      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
                      socket.on('data', frame => {
                        const length = frame[1] & 127, mask = frame.subarray(2, 6), text = frame.subarray(6, 6 + length).map((byte, i) => byte ^ mask[i % 4]);
                        socket.write(Buffer.concat([Buffer.from([frame[0], length]), text]));
                      });
                      socket.on('error', () => {});
                    }).listen(9000, '127.0.0.1');
                    """);
            var echoed = new CompletableFuture<String>();
            var socket = present(client).newWebSocketBuilder().buildAsync(URI.create(url.toString().replace("https:", "wss:") + "ws"), new WebSocket.Listener() {
                @Override
                public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
                    echoed.complete(data.toString());
                    return null;
                }
            }).get(20, TimeUnit.SECONDS);
            socket.sendText("through the wall", true).get(10, TimeUnit.SECONDS);
            assertThat(echoed.get(10, TimeUnit.SECONDS)).isEqualTo("through the wall");
            socket.abort();
            assertThat(get(url, HttpResponse.BodyHandlers.ofString()).body()).isEqualTo("plain");
            // The connection into it that was kept goes with it.
            sandbox.delete();
            var gone = get(url, HttpResponse.BodyHandlers.ofString());
            assertThat(gone.statusCode()).isEqualTo(502);
            assertThat(gone.body()).contains("was not found");
        }
    }
}
