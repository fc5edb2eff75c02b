package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.caisson.egress.RelayBench.Setup;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Programs as they are found in sandboxes, with what is put there so that they trust, through opened TLS to a server of somebody else's making.
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class OpenedClientsTest {
    private static final String HOST = "localhost";
    private static final byte[] BIG = new byte[3_000_000];

    static {
        new java.util.Random(5).nextBytes(BIG);
    }

    private final Path directory;
    private final TlsLab lab;
    private final HttpsServer server;
    private final CountDownLatch secondEvent = new CountDownLatch(1);
    private final SecretBinding token;
    private final RelayBench bench;
    private final Map<String, String> environment = new HashMap<>();

    OpenedClientsTest(@TempDir Path directory) throws Exception {
        this.directory = directory;
        lab = new TlsLab(directory);
        server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 512);
        server.setHttpsConfigurator(new HttpsConfigurator(lab.internet.contextFor(HOST)));
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", this::serve);
        server.start();
        token = lab.key.seal(new SecureRandom()).bind("TOKEN", List.of(HostPattern.parse(HOST)), Set.of(), SecretValue.taking("sk-live-4242".toCharArray()));
        var setup = Setup.PLAIN.opening(lab.tls).with(SandboxSecrets.open(List.of(token), lab.key))
                .judging((method, path) -> path.startsWith("/denied") ? new RelayOwner.Denied("request:2", method + " " + path) : new RelayOwner.Allowed("request:1"));
        bench = new RelayBench(setup, server.getAddress().getPort());
        plantTrust();
    }

    /// As in a sandbox, but below a directory of the test.
    private void plantTrust() throws IOException {
        var seeds = TrustSeeds.of(lab.sandbox.certificatePem(), lab.roots);
        Path root = directory.resolve("root");
        for (var seed : seeds.files()) {
            if (seed.how() == TrustSeeds.How.CREATE) {
                Path file = root.resolve(seed.path().substring(1));
                Files.createDirectories(file.getParent());
                Files.write(file, seed.bytes());
            }
        }
        seeds.variables().forEach((name, value) -> environment.put(name, value.replace("/etc/caisson/", root + "/etc/caisson/")));
        environment.put("TOKEN", token.placeholder());
        environment.put("URL", "https://localhost:" + bench.port());
    }

    @AfterEach
    void stop() throws IOException {
        bench.close();
        server.stop(0);
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] content = exchange.getRequestBody().readAllBytes();
            switch (exchange.getRequestURI().getPath()) {
                case "/repository.git/info/refs" -> exchange.sendResponseHeaders(404, -1);
                case "/none" -> exchange.sendResponseHeaders(204, -1);
                case "/events" -> {
                    exchange.getResponseHeaders().add("Content-Type", "text/event-stream");
                    exchange.sendResponseHeaders(200, 0);
                    exchange.getResponseBody().write("data: 1\n\n".getBytes(StandardCharsets.US_ASCII));
                    exchange.getResponseBody().flush();
                    await(secondEvent);
                    exchange.getResponseBody().write("data: 2\n\n".getBytes(StandardCharsets.US_ASCII));
                }
                case "/big" -> {
                    exchange.getResponseHeaders().add("Content-Type", "application/octet-stream");
                    exchange.sendResponseHeaders(200, BIG.length);
                    exchange.getResponseBody().write(BIG);
                }
                default -> {
                    String answer = exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + exchange.getRequestHeaders().getFirst("Authorization") + " " + sha256(content);
                    exchange.getResponseHeaders().add("X-Seen", Boolean.toString("Bearer sk-live-4242".equals(exchange.getRequestHeaders().getFirst("Authorization"))));
                    byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
                    exchange.sendResponseHeaders(200, exchange.getRequestMethod().equals("HEAD") ? -1 : bytes.length);
                    exchange.getResponseBody().write(bytes);
                }
            }
        }
    }

    private static void await(CountDownLatch latch) throws IOException {
        try {
            if (!latch.await(20, TimeUnit.SECONDS)) {
                throw new IOException("nobody read the first event");
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private String run(String... command) throws Exception {
        return run(0, command);
    }

    private String run(int status, String... command) throws Exception {
        assumeThat(onPath(command[0])).as(command[0] + " is installed").isTrue();
        var builder = new ProcessBuilder(command).redirectErrorStream(true).directory(directory.toFile());
        builder.environment().putAll(environment);
        var process = builder.start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(said).isEqualTo(status);
        return said;
    }

    private static boolean onPath(String program) {
        return program.startsWith("/") || Arrays.stream(System.getenv("PATH").split(":")).anyMatch(each -> Files.isExecutable(Path.of(each, program)));
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text);
    }

    @Test
    void curl() throws Exception {
        String url = environment.get("URL");
        assertThat(run("curl", "-sS", "-i", "-H", "Authorization: Bearer " + token.placeholder(), url + "/a?b=c")).contains("HTTP/1.1 200 OK", "GET /a?b=c Bearer " + token.placeholder()).containsIgnoringCase("X-Seen: true");
        Path big = Files.write(directory.resolve("big"), BIG);
        assertThat(run("curl", "-sS", "--http2", "-T", big.toString(), url + "/up")).contains("PUT /up null " + sha256(BIG));
        assertThat(run("curl", "-sS", "-H", "Transfer-Encoding: chunked", "--data-binary", "@" + big, url + "/up")).contains("POST /up null " + sha256(BIG));
        run("curl", "-sS", "-o", directory.resolve("got").toString(), url + "/big");
        assertThat(Files.readAllBytes(directory.resolve("got"))).isEqualTo(BIG);
        assertThat(run("curl", "-sS", "-I", url + "/a")).contains("HTTP/1.1 200 OK");
        assertThat(run("curl", "-sS", "-w", "%{http_code} %{num_connects}\n", url + "/none", url + "/none")).isEqualTo("204 1\n204 0\n");
        assertThat(run("curl", "-sS", "-w", " %{http_code}", "-X", "DELETE", url + "/denied/x")).isEqualTo("{\"error\":\"denied\",\"rule\":\"request:2\",\"reason\":\"DELETE /denied/x\"}\n 403");
        assertThat(run(18, "curl", "-sS", "-o", "/dev/null", "--max-time", "20", "--resolve", "localhost:" + bench.port() + ":127.0.0.1", "-H", "Cut: 1", cutting() + "/")).contains("transfer closed");
    }

    /// A relay to a server whose answer breaks off.
    private String cutting() throws Exception {
        var broken = new ScriptedServer(TlsLab.listen(lab.internet, HOST), connection -> {
            connection.request();
            connection.answer("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 10\r\n\r\nabc");
        });
        return "https://localhost:" + new RelayBench(Setup.PLAIN.opening(lab.tls), broken.port()).port();
    }

    @Test
    void python() throws Exception {
        Path program = file("client.py", """
                import json, os, ssl, urllib.request, http.client
                url = os.environ['URL']
                request = urllib.request.Request(url + '/a', headers={'Authorization': 'Bearer ' + os.environ['TOKEN']})
                with urllib.request.urlopen(request) as answer:
                    print(answer.status, answer.headers['X-Seen'], answer.read().decode())
                connection = http.client.HTTPSConnection('localhost', int(url.rsplit(':', 1)[1]), context=ssl.create_default_context())
                for i in range(3):
                    connection.request('POST', '/p%d' % i, body=iter([b'abc', b'def']), headers={'Transfer-Encoding': 'chunked'}, encode_chunked=True)
                    print(connection.getresponse().read().decode())
                """);
        assertThat(run("python3", program.toString())).isEqualTo("200 true GET /a Bearer " + token.placeholder() + " " + sha256(new byte[0]) + "\n"
                + "POST /p0 null " + sha256("abcdef".getBytes(StandardCharsets.US_ASCII)) + "\nPOST /p1 null " + sha256("abcdef".getBytes(StandardCharsets.US_ASCII)) + "\nPOST /p2 null "
                + sha256("abcdef".getBytes(StandardCharsets.US_ASCII)) + "\n");
    }

    @Test
    void pythonRequests() throws Exception {
        Path program = file("client.py", """
                import os, sys
                try:
                    import requests
                except ImportError:
                    print('not here'); sys.exit()
                with requests.Session() as session:
                    for i in range(2):
                        print(session.get(os.environ['URL'] + '/a', auth=('user', os.environ['TOKEN'])).headers['X-Seen'])
                """);
        assertThat(run("python3", program.toString())).isIn("false\nfalse\n", "not here\n");
    }

    @Test
    void node() throws Exception {
        Path program = file("client.js", """
                const https = require('https');
                const agent = new https.Agent({keepAlive: true});
                async function ask(method, path, content) {
                    return new Promise((resolve, reject) => {
                        const request = https.request(process.env.URL + path, {method, agent, headers: {Authorization: 'Bearer ' + process.env.TOKEN}}, answer => {
                            let text = '';
                            answer.on('data', piece => text += piece);
                            answer.on('end', () => resolve(answer.statusCode + ' ' + answer.headers['x-seen'] + ' ' + text));
                        });
                        request.on('error', reject);
                        request.end(content);
                    });
                }
                (async () => {
                    console.log(await ask('GET', '/a'));
                    console.log(await ask('POST', '/b', 'hello'));
                    const answer = await fetch(process.env.URL + '/c', {headers: {Authorization: 'Bearer ' + process.env.TOKEN}});
                    console.log(answer.status, answer.headers.get('x-seen'));
                    agent.destroy();
                })();
                """);
        assertThat(run("node", program.toString())).isEqualTo("200 true GET /a Bearer " + token.placeholder() + " " + sha256(new byte[0]) + "\n200 true POST /b Bearer " + token.placeholder() + " "
                + sha256("hello".getBytes(StandardCharsets.US_ASCII)) + "\n200 true\n");
    }

    @Test
    void javaWithItsOwnTrustStore() throws Exception {
        Path program = file("Client.java", """
                import java.net.URI;
                import java.net.http.*;
                class Client {
                    public static void main(String[] args) throws Exception {
                        var request = HttpRequest.newBuilder(URI.create(System.getenv("URL") + "/a")).header("Authorization", "Bearer " + System.getenv("TOKEN")).build();
                        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).headers().firstValue("X-Seen").orElse("?"));
                    }
                }
                """);
        assertThat(run(Path.of(System.getProperty("java.home"), "bin", "java").toString(), program.toString())).endsWith("\ntrue\n");
    }

    @Test
    void git() throws Exception {
        // Far enough to see that the certificate is believed: this is no repository.
        assertThat(run(128, "git", "ls-remote", environment.get("URL") + "/repository.git")).contains("not found").doesNotContain("certificate");
        assertThat(bench.requests).contains("GET /repository.git/info/refs");
    }

    @Test
    void eventsFlowToTheJdkClient() throws Exception {
        try (var client = HttpClient.newBuilder().sslContext(lab.client()).build()) {
            var request = HttpRequest.newBuilder(URI.create(environment.get("URL") + "/events")).build();
            var lines = client.send(request, HttpResponse.BodyHandlers.ofLines()).body().iterator();
            assertThat(lines.next()).isEqualTo("data: 1");
            secondEvent.countDown();
            assertThat(lines.next()).isEmpty();
            assertThat(lines.next()).isEqualTo("data: 2");
        }
    }

    @Test
    void manyRequestsOfTheJdkClientAtOnce() throws Exception {
        try (var client = HttpClient.newBuilder().sslContext(lab.client()).build()) {
            var answers = new LinkedBlockingQueue<String>();
            var requests = java.util.stream.IntStream.range(0, 200).mapToObj(i -> client.sendAsync(
                    HttpRequest.newBuilder(URI.create(environment.get("URL") + "/r" + i)).POST(HttpRequest.BodyPublishers.ofString("content " + i)).build(), HttpResponse.BodyHandlers.ofString())
                    .thenAccept(answer -> answers.add(answer.body()))).toList();
            for (var each : requests) {
                each.get(60, TimeUnit.SECONDS);
            }
            assertThat(answers).hasSize(200);
            for (int i = 0; i < 200; i++) {
                assertThat(answers).contains("POST /r" + i + " null " + sha256(("content " + i).getBytes(StandardCharsets.UTF_8)));
            }
        }
    }

    @Test
    void webSocketOfTheJdkClient() throws Exception {
        try (var echo = new ScriptedServer(TlsLab.listen(lab.internet, HOST), OpenedClientsTest::echo); var other = new RelayBench(Setup.PLAIN.opening(lab.tls), echo.port());
                var client = HttpClient.newBuilder().sslContext(lab.client()).build()) {
            var texts = new LinkedBlockingQueue<String>();
            var socket = client.newWebSocketBuilder().buildAsync(URI.create("wss://localhost:" + other.port() + "/chat"), new WebSocket.Listener() {
                @Override
                public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
                    texts.add(data.toString());
                    return WebSocket.Listener.super.onText(socket, data, last);
                }
            }).get(20, TimeUnit.SECONDS);
            for (int i = 0; i < 20; i++) {
                socket.sendText("hello " + i, true).get(20, TimeUnit.SECONDS);
                assertThat(texts.poll(20, TimeUnit.SECONDS)).isEqualTo("hello " + i);
            }
            socket.abort();
            assertThat(other.requests).containsExactly("GET /chat");
            assertThat(other.received.get()).isPositive();
        }
    }

    /// Sends each short frame back.
    private static void echo(ScriptedServer.Connection connection) throws Exception {
        String request = connection.request();
        String key = request.replaceAll("(?is).*sec-websocket-key: ([^\r]+)\r.*", "$1");
        byte[] accept = MessageDigest.getInstance("SHA-1").digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII));
        connection.answer("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + Base64.getEncoder().encodeToString(accept) + "\r\n\r\n");
        for (int first = connection.in.read(); first >= 0; first = connection.in.read()) {
            int length = connection.in.read() & 0x7f;
            byte[] mask = connection.in.readNBytes(4);
            byte[] content = connection.in.readNBytes(length);
            for (int i = 0; i < length; i++) {
                content[i] ^= mask[i % 4];
            }
            connection.out.write(ByteBuffer.allocate(2 + length).put((byte) first).put((byte) length).put(content).array());
            connection.out.flush();
        }
    }
}
