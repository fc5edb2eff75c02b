package dev.caisson.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Certificates of the installation's own authority and of the operator; those ordered by ACME are in [dev.caisson.app.AcmeTest]'s.
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
}
