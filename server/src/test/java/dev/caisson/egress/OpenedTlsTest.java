package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.egress.RelayBench.Setup;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// TLS that is opened on its way: what each side believes of the other.
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class OpenedTlsTest {
    private static final String HOST = "api.example.com";
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private final TlsLab lab;

    OpenedTlsTest(@TempDir Path directory) throws Exception {
        lab = new TlsLab(directory);
    }

    private Setup setup() {
        return Setup.PLAIN.at(HOST).opening(lab.tls);
    }

    private static String get(RelayBench bench) {
        return "GET /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\n\r\n";
    }

    @Test
    void bothSidesBelieveTheyTalkToEachOther() throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(OK)); var bench = new RelayBench(setup(), server.port()); var client = lab.connect(bench, HOST)) {
            var session = ((SSLSocket) client.socket()).getSession();
            assertThat(session.getProtocol()).isEqualTo("TLSv1.3");
            assertThat(session.getPeerCertificates()).hasSize(1);
            for (int i = 0; i < 3; i++) {
                client.send(get(bench));
                assertThat(client.answer()).isEqualTo(OK);
                assertThat(server.request()).isEqualTo("GET /a HTTP/1.1\r\nHost: " + HOST + ":" + bench.port() + "\r\n\r\n");
            }
            assertThat(server.connections()).isEqualTo(1);
        }
    }

    @Test
    void olderClientsMayUseTls12AndNothingBelow() throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(OK)); var bench = new RelayBench(setup(), server.port())) {
            try (var client = lab.connect(bench, HOST, new SSLParameters(null, new String[] {"TLSv1.2"}))) {
                client.send(get(bench));
                assertThat(client.answer()).isEqualTo(OK);
            }
            var old = new ProcessBuilder("openssl", "s_client", "-connect", "127.0.0.1:" + bench.port(), "-servername", HOST, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0").redirectErrorStream(true).start();
            old.getOutputStream().close();
            assertThat(new String(old.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).contains("alert");
        }
    }

    @Test
    void onlyHttp11IsSpoken() throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(OK)); var bench = new RelayBench(setup(), server.port())) {
            var both = new SSLParameters();
            both.setApplicationProtocols(new String[] {"h2", "http/1.1"});
            try (var client = lab.connect(bench, HOST, both)) {
                assertThat(((SSLSocket) client.socket()).getApplicationProtocol()).isEqualTo("http/1.1");
            }
            var newer = new SSLParameters();
            newer.setApplicationProtocols(new String[] {"h2"});
            assertThatThrownBy(() -> lab.connect(bench, HOST, newer)).isInstanceOf(IOException.class).hasMessageContaining("no_application_protocol");
            assertThat(server.sawNothing()).isTrue();
        }
    }

    @Test
    void aClientThatNamesAnotherHostIsRefused() throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(OK)); var bench = new RelayBench(setup(), server.port())) {
            var other = new SSLParameters();
            other.setServerNames(List.of(new SNIHostName("evil.example.com")));
            assertThatThrownBy(() -> lab.connect(bench, HOST, other)).isInstanceOf(IOException.class).hasMessageContaining("unrecognized_name");
            var upper = new SSLParameters();
            upper.setServerNames(List.of(new SNIHostName("API.Example.COM")));
            try (var client = lab.connect(bench, HOST, upper)) {
                client.send(get(bench));
                assertThat(client.answer()).isEqualTo(OK);
            }
        }
    }

    @Test
    void anotherHostInARequestInsideOfTlsIsRefused() throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), ScriptedServer.always(OK)); var bench = new RelayBench(setup(), server.port()); var client = lab.connect(bench, HOST)) {
            client.send("GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n");
            assertThat(client.rest()).startsWith("HTTP/1.1 421 ");
            assertThat(server.sawNothing()).isTrue();
        }
    }

    @Test
    void nothingIsSentToServersWhoseCertificateIsNotGood() throws Exception {
        var cases = List.of(TlsLab.listen(lab.stranger, HOST), TlsLab.listen(lab.sandbox, HOST), TlsLab.listen(lab.internet, "other.example.com"), TlsLab.listen(lab.expired(HOST)));
        var reasons = List.of("unable to find valid certification path", "unable to find valid certification path", "No subject alternative DNS name matching api.example.com found", "NotAfter");
        for (int i = 0; i < cases.size(); i++) {
            var read = new AtomicInteger();
            try (var server = new ScriptedServer(cases.get(i), connection -> read.addAndGet(connection.in.readAllBytes().length)); var bench = new RelayBench(setup(), server.port());
                    var client = lab.connect(bench, HOST)) {
                client.send("POST /a HTTP/1.1\r\nHost: " + bench.authority() + "\r\nAuthorization: secret\r\nContent-Length: 4\r\n\r\nbody");
                assertThat(client.rest()).startsWith("HTTP/1.1 502 Bad Gateway\r\n").contains("no TLS with api.example.com: ", reasons.get(i));
                assertThat(bench.ended()).isEmpty();
                assertThat(bench.sent.get()).isZero();
                assertThat(read.get()).isZero();
                assertThat(server.hasNoMore()).isTrue();
            }
        }
    }

    @Test
    void aServerThatDoesNotSpeakTlsIsNamed() throws Exception {
        try (var server = new ScriptedServer(connection -> connection.answer("220 mail.example.com ESMTP\r\n")); var bench = new RelayBench(setup(), server.port()); var client = lab.connect(bench, HOST)) {
            client.send(get(bench));
            assertThat(client.rest()).startsWith("HTTP/1.1 502 Bad Gateway\r\n").contains("no TLS with api.example.com");
        }
    }

    @Test
    void anAnswerThatEndsWithItsConnectionEndsSoForTheClient() throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), connection -> {
            connection.request();
            connection.answer("HTTP/1.1 200 OK\r\n\r\nall of it");
        }); var bench = new RelayBench(setup(), server.port()); var client = lab.connect(bench, HOST)) {
            client.send(get(bench).replace("HTTP/1.1", "HTTP/1.0"));
            assertThat(client.rest()).endsWith("\r\n\r\nall of it");
        }
    }

    @Test
    void cuttingDoesNotWaitForAClientThatTakesNothing() throws Exception {
        try (var server = new ScriptedServer(TlsLab.listen(lab.internet, HOST), connection -> {
            connection.request();
            connection.answer("HTTP/1.1 200 OK\r\n\r\n");
            while (true) {
                connection.answer("x".repeat(16_384));
            }
        }); var bench = new RelayBench(setup(), server.port()); var client = lab.connect(bench, HOST)) {
            client.send(get(bench));
            client.until("\r\n\r\n");
            long before = -1;
            for (int i = 0; i < 1000 && before != bench.received.get(); i++) {
                before = bench.received.get();
                assertThat(bench.ends.poll(100, TimeUnit.MILLISECONDS)).isNull();
            }
            long began = System.nanoTime();
            bench.onlyRelay().cut("budget");
            assertThat(bench.ended()).isEqualTo("budget");
            assertThat(System.nanoTime() - began).isLessThan(TimeUnit.SECONDS.toNanos(2));
        }
    }

    @Test
    void handshakesThatAreNotGoneThroughAreCut() throws Exception {
        var patience = new RelayTimes(Duration.ofSeconds(1), Duration.ofMinutes(1), Duration.ofMinutes(1));
        var impatient = Setup.PLAIN.at(HOST).opening(new RelayBench.Tls(lab.sandbox, lab.opening(patience)));
        try (var server = new ScriptedServer(connection -> connection.in.readAllBytes()); var bench = new RelayBench(impatient, server.port())) {
            try (var client = lab.connect(bench, HOST)) {
                client.send(get(bench));
                assertThat(client.rest()).startsWith("HTTP/1.1 502 Bad Gateway\r\n").contains("no TLS with api.example.com");
            }
            try (var half = bench.connect()) {
                half.send("\u0016\u0003\u0001\u0000\u00a5" + "\u0001\u0000\u0000\u00a1" + "\u0003\u0003".repeat(20));
                assertThat(bench.ended()).isEmpty();
                assertThat(bench.ended()).startsWith("handshake: ");
            }
        }
    }
}
