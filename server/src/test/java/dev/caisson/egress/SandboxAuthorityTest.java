package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.SandboxId;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SandboxAuthorityTest {
    private static final Instant CREATED = Instant.parse("2026-03-01T10:11:12.345Z");
    private static final SandboxId SANDBOX = SandboxId.random(new Random(7));

    private final Path directory;
    private final SealKey key;

    SandboxAuthorityTest(@TempDir Path directory) {
        this.directory = directory;
        key = SealKey.openOrMake(directory, new SecureRandom());
    }

    private SandboxAuthority authority() {
        return SandboxAuthority.of(key.master(), SANDBOX, CREATED, () -> CREATED);
    }

    /// What openssl says of a host's certificate, as a client in the sandbox.
    private String verdict(String trusted, X509Certificate leaf, String host, Instant at) throws Exception {
        Path authority = Files.writeString(directory.resolve("ca.pem"), trusted);
        Path shown = Files.writeString(directory.resolve("leaf.pem"), new Pem("CERTIFICATE", leaf.getEncoded()).text());
        var openssl = new ProcessBuilder("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host, "-attime", Long.toString(at.getEpochSecond()),
                "-CAfile", authority.toString(), shown.toString()).redirectErrorStream(true).start();
        String said = new String(openssl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(openssl.waitFor(10, TimeUnit.SECONDS)).isTrue();
        return said;
    }

    @Test
    void aGatewayThatStartsAgainHasTheSameAuthority() {
        String before = authority().certificatePem();
        var again = SandboxAuthority.of(SealKey.openOrMake(directory, new SecureRandom()).master(), SANDBOX, CREATED.plusMillis(3), () -> CREATED);
        assertThat(again.certificatePem()).isEqualTo(before);
    }

    @Test
    void everySandboxHasItsOwn(@TempDir Path other) throws Exception {
        var neighbour = SandboxAuthority.of(key.master(), SandboxId.random(new Random(8)), CREATED, () -> CREATED);
        var elsewhere = SandboxAuthority.of(SealKey.openOrMake(other, new SecureRandom()).master(), SANDBOX, CREATED, () -> CREATED);
        for (var stranger : List.of(neighbour, elsewhere)) {
            assertThat(stranger.certificate().getPublicKey()).isNotEqualTo(authority().certificate().getPublicKey());
            assertThat(verdict(authority().certificatePem(), stranger.leaf("api.example.com", CREATED), "api.example.com", CREATED)).doesNotContain(": OK");
        }
    }

    @Test
    void aLeafIsGoodForItsHostAlone() throws Exception {
        X509Certificate leaf = authority().leaf("api.example.com", CREATED);
        assertThat(verdict(authority().certificatePem(), leaf, "api.example.com", CREATED)).endsWith(": OK\n");
        assertThat(verdict(authority().certificatePem(), leaf, "other.example.com", CREATED)).contains("hostname mismatch");
        assertThat(leaf.getBasicConstraints()).isEqualTo(-1);
        String longest = ("a".repeat(62) + ".").repeat(4).substring(0, 249) + ".com";
        assertThat(verdict(authority().certificatePem(), authority().leaf(longest, CREATED), longest, CREATED)).endsWith(": OK\n");
    }

    @Test
    void itIsValidFromBeforeTheSandboxWasMadeUntilLongAfter() throws Exception {
        X509Certificate leaf = authority().leaf("api.example.com", CREATED);
        assertThat(verdict(authority().certificatePem(), leaf, "api.example.com", CREATED.minus(Duration.ofHours(23)))).endsWith(": OK\n");
        assertThat(verdict(authority().certificatePem(), leaf, "api.example.com", CREATED.plus(Duration.ofDays(89)))).endsWith(": OK\n");
        Instant years = CREATED.plus(Duration.ofDays(3_000));
        assertThat(verdict(authority().certificatePem(), authority().leaf("api.example.com", years), "api.example.com", years)).endsWith(": OK\n");
    }

    @Test
    void serialNumbersAreNotUsedTwice() throws Exception {
        var authority = authority();
        assertThat(List.of(authority.certificate().getSerialNumber(), authority.leaf("a.example", CREATED).getSerialNumber(), authority.leaf("b.example", CREATED).getSerialNumber(),
                authority.leaf("a.example", CREATED.plusSeconds(1)).getSerialNumber())).doesNotHaveDuplicates().allMatch(serial -> serial.signum() > 0 && serial.bitLength() < 128);
    }

    @Test
    void contextsAreKeptUntilTheyAreToBeRenewedAndNotTooMany() throws Exception {
        var now = new java.util.concurrent.atomic.AtomicReference<>(CREATED);
        var authority = SandboxAuthority.of(key.master(), SANDBOX, CREATED, now::get);
        var first = authority.contextFor("a.example");
        assertThat(authority.contextFor("a.example")).isSameAs(first);
        now.set(CREATED.plus(Duration.ofDays(61)));
        assertThat(authority.contextFor("a.example")).isNotSameAs(first);
        var renewed = authority.contextFor("a.example");
        for (int i = 0; i < 256; i++) {
            authority.contextFor("h" + i + ".example");
        }
        assertThat(authority.contextFor("a.example")).isNotSameAs(renewed);
    }
}
