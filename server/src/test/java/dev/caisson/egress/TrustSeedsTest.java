package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrustSeedsTest {
    private final TlsLab lab;
    private final TrustSeeds seeds;

    TrustSeedsTest(@TempDir Path directory) throws Exception {
        lab = new TlsLab(directory);
        seeds = TrustSeeds.of(lab.sandbox.certificatePem(), lab.roots);
    }

    private TrustSeeds.Seed file(String path) {
        return seeds.files().stream().filter(seed -> seed.path().equals(path)).findFirst().orElseThrow();
    }

    @Test
    void everyVariableLeadsToAFileThatIsMade() {
        assertThat(seeds.variables()).hasSizeGreaterThan(10).containsEntry("SSL_CERT_FILE", TrustSeeds.BUNDLE).containsEntry("NODE_EXTRA_CA_CERTS", TrustSeeds.AUTHORITY);
        seeds.variables().forEach((name, value) -> {
            String path = name.equals("JAVA_TOOL_OPTIONS") ? TrustSeeds.JAVA_STORE : value;
            assertThat(value).contains(path);
            assertThat(file(path).how()).isEqualTo(TrustSeeds.How.CREATE);
        });
    }

    @Test
    void theBundleAndTheStoreHoldTheAuthorityAndEverybodyElses() throws Exception {
        var all = CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(file(TrustSeeds.BUNDLE).bytes()));
        assertThat(all).hasSize(lab.roots.certificates().size() + 1).first().isEqualTo(lab.sandbox.certificate());
        assertThat(all.stream().anyMatch(lab.internet.certificate()::equals)).isTrue();
        var store = KeyStore.getInstance("PKCS12");
        store.load(new ByteArrayInputStream(file(TrustSeeds.JAVA_STORE).bytes()), null);
        assertThat(Collections.list(store.aliases())).hasSize(all.size());
        assertThat(store.getCertificate("caisson")).isEqualTo(lab.sandbox.certificate());
    }

    @Test
    void bundlesOfTheSystemAreAddedToOnALineOfTheirOwnAndNotMade() {
        var added = seeds.files().stream().filter(seed -> seed.how() == TrustSeeds.How.APPEND_IF_EXISTS).toList();
        assertThat(added).hasSize(5).allSatisfy(seed -> assertThat(new String(seed.bytes(), StandardCharsets.US_ASCII)).isEqualTo("\n" + lab.sandbox.certificatePem()));
    }
}
