package dev.caisson.app;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.edge.Certificates;
import dev.caisson.edge.TlsSettings;
import dev.caisson.fake.FakeSandboxes;
import dev.caisson.json.JsonObject;
import dev.caisson.testing.GoPrograms;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A front that orders its wildcard certificate by ACME, from Pebble (the test server of that protocol's authors), which asks a DNS server on this machine whose
/// records the operator's hook sets. The authority's own certificate is made here; everything is on the loopback.
@Tag("machine")
@Timeout(value = 6, unit = TimeUnit.MINUTES)
class AcmeTest {
    private static final String PEBBLE = "github.com/letsencrypt/pebble/v2/cmd/";
    private static final String VERSION = "v2.10.1";
    private static final InstantSource CLOCK = InstantSource.system();

    private final Path directory;
    private final List<Process> running = new ArrayList<>();
    private final SSLContext before;
    private final int pebble;
    private final int dns;
    private final int records;

    AcmeTest(@TempDir Path directory) throws Exception {
        this.directory = directory;
        before = SSLContext.getDefault();
        try (var first = free(); var second = free(); var third = free(); var unused = free()) {
            pebble = first.getLocalPort();
            dns = second.getLocalPort();
            records = third.getLocalPort();
            Files.writeString(directory.resolve("pebble.json"), """
                    {"pebble": {"listenAddress": "127.0.0.1:%1$d", "managementListenAddress": "127.0.0.1:%2$d", "certificate": "%3$s/localhost/leaf.pem", "privateKey": "%3$s/localhost/leaf.key",
                     "httpPort": 5002, "tlsPort": 5001, "retryAfter": {"authz": 1, "order": 1}}}""".formatted(pebble, unused.getLocalPort(), directory));
        }
    }

    private static ServerSocket free() throws IOException {
        return new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    }

    @BeforeEach
    void startTheAuthority() throws Exception {
        Path programs = GoPrograms.at(VERSION, PEBBLE + "pebble", PEBBLE + "pebble-challtestsrv");
        try (var own = Certificates.open(new TlsSettings.Local(), "localhost", directory, CLOCK, new SecureRandom())) {
            // Where whoever connects to an authority takes their trust from.
            SSLContext.setDefault(context(trusting(own.authority().orElseThrow())));
        }
        start(programs.resolve("pebble-challtestsrv"), "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "", "-dnsserver", "127.0.0.1:" + dns, "-management", "127.0.0.1:" + records);
        start(programs.resolve("pebble"), "-strict", "-config", directory.resolve("pebble.json").toString(), "-dnsserver", "127.0.0.1:" + dns);
        await("http://127.0.0.1:" + records + "/");
        await("https://localhost:" + pebble + "/dir");
    }

    @AfterEach
    void endTheAuthority() throws InterruptedException {
        SSLContext.setDefault(before);
        for (var process : running) {
            process.destroy();
            process.waitFor();
        }
    }

    private void start(Path program, String... arguments) throws IOException {
        var command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(arguments));
        var builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(directory.resolve(program.getFileName() + ".log").toFile());
        // It would wait up to 15 seconds before each proof it looks at.
        builder.environment().put("PEBBLE_VA_NOSLEEP", "1");
        running.add(builder.start());
    }

    /// Until something answers there, whatever it says.
    private void await(String url) throws Exception {
        long until = System.nanoTime() + 30_000_000_000L;
        try (var http = HttpClient.newHttpClient()) {
            while (true) {
                try {
                    http.send(HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(5)).build(), HttpResponse.BodyHandlers.discarding());
                    return;
                } catch (IOException e) {
                    if (System.nanoTime() > until) {
                        throw new IOException(said(), e);
                    }
                    Thread.sleep(100);
                }
            }
        }
    }

    private String said() throws IOException {
        return Files.readString(directory.resolve("pebble.log")) + Files.readString(directory.resolve("pebble-challtestsrv.log"));
    }

    private static KeyStore trusting(Path pem) throws Exception {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (var in = Files.newInputStream(pem)) {
            store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        return store;
    }

    private static SSLContext context(KeyStore trusted) throws Exception {
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        return context(trust.getTrustManagers());
    }

    private static SSLContext context(TrustManager... trust) throws Exception {
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust, null);
        return context;
    }

    @Test
    void aFrontOrdersItsCertificateOnceAndAgainBeforeItIsOver() throws Exception {
        X509Certificate ordered;
        List<String> calls;
        try (var sandboxes = new FakeSandboxes(directory.resolve("boxes"))) {
            try (var front = front(sandboxes, CLOCK)) {
                ordered = shown(front, null);
                assertThat(ordered.getSubjectAlternativeNames().stream().map(name -> (String) name.get(1))).containsExactlyInAnyOrder("*.box.test", "box.test");
                calls = Files.readAllLines(directory.resolve("calls"));
                assertThat(calls).contains("set _acme-challenge.box.test", "clear _acme-challenge.box.test");
            }
            try (var front = front(sandboxes, CLOCK)) {
                assertThat(shown(front, null)).isEqualTo(ordered);
                assertThat(Files.readAllLines(directory.resolve("calls"))).isEqualTo(calls);
            }
            Instant nearTheEnd = ordered.getNotAfter().toInstant().minusSeconds(3600);
            try (var front = front(sandboxes, InstantSource.fixed(nearTheEnd))) {
                assertThat(shown(front, ordered)).isNotEqualTo(ordered);
            }
        }
    }

    private Front front(FakeSandboxes sandboxes, InstantSource clock) throws IOException {
        Path hook = directory.resolve("hook");
        Files.writeString(hook, """
                #!/bin/sh
                echo "$1 $2" >> %1$s/calls
                exec curl --silent --show-error --fail --max-time 20 --data "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" http://127.0.0.1:%2$d/$1-txt
                """.formatted(directory, records));
        Files.setPosixFilePermissions(hook, PosixFilePermissions.fromString("rwxr-xr-x"));
        return Front.start(FrontSettings.parse(List.of("--home", directory.resolve("home").toString(), "--listen", "127.0.0.1:0", "--domain", "box.test", "--tls-listen", "127.0.0.1:0",
                "--acme-directory", "https://localhost:" + pebble + "/dir", "--acme-email", "ops@example.org", "--acme-dns-hook", hook.toString())), sandboxes, clock, new SecureRandom());
    }

    /// What the front shows to a client, once it is of the authority, and another than that.
    private X509Certificate shown(Front front, @org.jspecify.annotations.Nullable X509Certificate other) throws Exception {
        String authority = JsonObject.parse(front.readyLine().getBytes(StandardCharsets.UTF_8)).text("domain");
        int port = Integer.parseInt(authority.substring(authority.indexOf(':') + 1));
        long until = System.nanoTime() + 90_000_000_000L;
        while (true) {
            X509Certificate leaf = shown(port);
            if (leaf.getIssuerX500Principal().getName().contains("Pebble") && !leaf.equals(other)) {
                return leaf;
            }
            if (System.nanoTime() > until) {
                throw new AssertionError("still shown: " + leaf.getSubjectX500Principal() + "\n" + said());
            }
            Thread.sleep(200);
        }
    }

    private static X509Certificate shown(int port) throws Exception {
        try (var plain = new Socket("127.0.0.1", port); var socket = (SSLSocket) context(new Anybody()).getSocketFactory().createSocket(plain, "box.test", port, true)) {
            plain.setSoTimeout(20_000);
            var parameters = socket.getSSLParameters();
            parameters.setServerNames(List.of(new SNIHostName("box.test")));
            socket.setSSLParameters(parameters);
            return (X509Certificate) socket.getSession().getPeerCertificates()[0];
        }
    }

    /// Pebble's root is another at each start; whose certificate it is is what the test looks at.
    private static final class Anybody implements X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
