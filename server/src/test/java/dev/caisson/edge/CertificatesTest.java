package dev.caisson.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Certificates from all three places.
@Timeout(value = 90, unit = TimeUnit.SECONDS)
class CertificatesTest {
    private static final InstantSource CLOCK = InstantSource.system();

    private final Path directory;

    CertificatesTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private LocalAuthority authority(String domain, InstantSource clock) {
        return new LocalAuthority(domain, directory.resolve(domain), clock, new Random(1));
    }

    /// What openssl says of a chain, as a client that trusts the authority alone: the JDK does not read the constraints of an authority that is trusted outright.
    private String verdict(KeyMaterial material, Instant at) throws Exception {
        Path authority = Files.writeString(directory.resolve("trusted.pem"), KeyMaterial.pem(List.of(material.chain().getLast())));
        Path leaf = Files.writeString(directory.resolve("shown.pem"), KeyMaterial.pem(List.of(material.leaf())));
        var openssl = new ProcessBuilder("openssl", "verify", "-x509_strict", "-attime", Long.toString(at.getEpochSecond()), "-CAfile", authority.toString(), leaf.toString())
                .redirectErrorStream(true).start();
        String said = new String(openssl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(openssl.waitFor(10, TimeUnit.SECONDS)).isTrue();
        return said;
    }

    @Test
    void theLocalAuthorityIsMadeOnceAndItsCertificateRenewedInTime() throws Exception {
        var first = authority("box.test", CLOCK).current();
        assertThat(verdict(first, CLOCK.instant())).endsWith(": OK\n");
        assertThat(first.leaf().getSubjectAlternativeNames().stream().map(name -> (String) name.get(1))).containsExactlyInAnyOrder("*.box.test", "box.test");
        assertThat(authority("box.test", CLOCK).current().leaf()).isEqualTo(first.leaf());
        var later = authority("box.test", () -> CLOCK.instant().plus(Duration.ofDays(61))).current();
        assertThat(later.leaf()).isNotEqualTo(first.leaf());
        assertThat(later.chain().getLast()).isEqualTo(first.chain().getLast());
        assertThat(Files.getPosixFilePermissions(directory.resolve("box.test/ca.key"))).hasSize(2);
    }

    @Test
    void theLocalAuthorityCannotVouchForAnythingElse() throws Exception {
        authority("box.test", CLOCK).current();
        // The same authority, made to sign for another domain.
        Files.createDirectories(directory.resolve("evil.test"));
        Files.copy(directory.resolve("box.test/ca.pem"), directory.resolve("evil.test/ca.pem"));
        Files.copy(directory.resolve("box.test/ca.key"), directory.resolve("evil.test/ca.key"));
        var forged = authority("evil.test", CLOCK).current();
        assertThat(verdict(forged, CLOCK.instant())).contains("permitted subtree violation");
    }

    @Test
    void ownFilesAreReadAgainWhenTheyChange() throws Exception {
        var one = authority("one.test", CLOCK).current();
        var two = authority("two.test", CLOCK).current();
        Path certificate = directory.resolve("cert.pem");
        Path key = directory.resolve("key.pem");
        copy("one.test", certificate, key, 1);
        try (var certificates = Certificates.open(new TlsSettings.OwnFiles(certificate, key), "one.test", directory.resolve("tls"), CLOCK, new Random(1))) {
            certificates.tls().start();
            assertThat(shown(certificates)).isEqualTo(one.leaf());
            copy("two.test", certificate, key, 2);
            long until = System.nanoTime() + 20_000_000_000L;
            while (!shown(certificates).equals(two.leaf()) && System.nanoTime() < until) {
                Thread.sleep(50);
            }
            assertThat(shown(certificates)).isEqualTo(two.leaf());
            certificates.tls().stop();
        }
        Files.writeString(key, "nothing");
        assertThatThrownBy(() -> Certificates.open(new TlsSettings.OwnFiles(certificate, key), "one.test", directory.resolve("tls"), CLOCK, new Random(1)))
                .isInstanceOf(SandboxException.class).hasMessageContaining("no private key");
    }

    private static java.security.cert.Certificate shown(Certificates certificates) throws Exception {
        return certificates.tls().getKeyStore().getCertificate("preview");
    }

    private void copy(String domain, Path certificate, Path key, long minute) throws IOException {
        Files.writeString(certificate, Files.readString(directory.resolve(domain).resolve("leaf.pem")));
        Files.writeString(key, Files.readString(directory.resolve(domain).resolve("leaf.key")));
        Files.setLastModifiedTime(certificate, FileTime.from(Instant.EPOCH.plusSeconds(minute * 60)));
    }

    /// Against Pebble, the authority's test server; PEBBLE_BIN names the directory of `pebble` and `pebble-challtestsrv`, PEBBLE_CERTS that of its own certificate.
    @Test
    void ordersAWildcardCertificateByAcme() throws Exception {
        String bin = System.getenv("PEBBLE_BIN");
        String certs = System.getenv("PEBBLE_CERTS");
        Assumptions.assumeTrue(bin != null && certs != null, "no Pebble here: set PEBBLE_BIN and PEBBLE_CERTS");
        Path config = directory.resolve("pebble.json");
        Files.writeString(config, """
                {"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": "%1$s/cert.pem", "privateKey": "%1$s/key.pem",
                 "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": "", "externalAccountBindingRequired": false}}""".formatted(certs));
        var dns = new ProcessBuilder(bin + "/pebble-challtestsrv", "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "", "-dns01", "127.0.0.1:18053", "-management", "127.0.0.1:18055")
                .redirectErrorStream(true).redirectOutput(directory.resolve("dns.log").toFile()).start();
        var builder = new ProcessBuilder(bin + "/pebble", "-config", config.toString(), "-dnsserver", "127.0.0.1:18053").redirectErrorStream(true).redirectOutput(directory.resolve("pebble.log").toFile());
        builder.environment().put("PEBBLE_VA_NOSLEEP", "1");
        var pebble = builder.start();
        try (var http = HttpClient.newHttpClient()) {
            var asked = new CopyOnWriteArrayList<String>();
            var records = new DnsRecords() {
                @Override
                public void set(String name, String value) throws IOException, InterruptedException {
                    asked.add("set " + name);
                    post(http, "set-txt", "{\"host\":\"" + name + ".\",\"value\":\"" + value + "\"}");
                }

                @Override
                public void clear(String name, String value) throws IOException, InterruptedException {
                    asked.add("clear " + name);
                    post(http, "clear-txt", "{\"host\":\"" + name + ".\"}");
                }
            };
            var source = new AcmeCertificates("box.test", URI.create("acme://pebble/localhost:14000"), "ops@example.org", records, directory.resolve("acme"), CLOCK);
            KeyMaterial ordered = null;
            for (int i = 0; ordered == null; i++) {
                try {
                    ordered = source.current();
                } catch (IOException e) {
                    if (i == 40) {
                        throw new IOException(Files.readString(directory.resolve("pebble.log")), e);
                    }
                    Thread.sleep(250);
                }
            }
            assertThat(ordered.leaf().getSubjectAlternativeNames().stream().map(name -> (String) name.get(1))).contains("*.box.test", "box.test");
            assertThat(asked).contains("set _acme-challenge.box.test", "clear _acme-challenge.box.test");
            int calls = asked.size();
            assertThat(new AcmeCertificates("box.test", URI.create("acme://pebble/localhost:14000"), "", records, directory.resolve("acme"), CLOCK).current().leaf()).isEqualTo(ordered.leaf());
            assertThat(asked).hasSize(calls);
            Instant nearTheEnd = ordered.leaf().getNotAfter().toInstant().minusSeconds(3600);
            var renewed = new AcmeCertificates("box.test", URI.create("acme://pebble/localhost:14000"), "", records, directory.resolve("acme"), InstantSource.fixed(nearTheEnd)).current();
            assertThat(renewed.leaf()).isNotEqualTo(ordered.leaf());
        } finally {
            pebble.destroy();
            dns.destroy();
        }
    }

    private static void post(HttpClient http, String what, String body) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:18055/" + what)).POST(HttpRequest.BodyPublishers.ofString(body)).build();
        assertThat(http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode()).isEqualTo(200);
    }
}
