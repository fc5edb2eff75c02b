package dev.caisson.egress;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/// Authorities that vouch for hosts: those that this machine's Java trusts, and the operator's own.
public record TrustedRoots(List<X509Certificate> certificates) {
    private static final int MAX_FILE = 1 << 20;

    public TrustedRoots {
        certificates = List.copyOf(certificates);
    }

    /// @param more PEM files of the operator's own authorities
    public static TrustedRoots read(List<Path> more) throws IOException, GeneralSecurityException {
        var all = new ArrayList<>(List.of(trust(null).getAcceptedIssuers()));
        for (Path file : more) {
            all.addAll(certificates(file));
        }
        return new TrustedRoots(all);
    }

    private static List<X509Certificate> certificates(Path file) throws IOException, GeneralSecurityException {
        if (Files.size(file) > MAX_FILE) {
            throw new IOException(file + " is larger than 1 MiB");
        }
        var found = new ArrayList<X509Certificate>();
        try (var in = Files.newInputStream(file)) {
            for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                found.add((X509Certificate) each);
            }
        }
        if (found.isEmpty()) {
            throw new IOException(file + " has no certificate in it");
        }
        return found;
    }

    /// @param store whom to trust; null means whom this machine's Java trusts
    private static X509TrustManager trust(@Nullable KeyStore store) throws GeneralSecurityException {
        var factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        return (X509TrustManager) factory.getTrustManagers()[0];
    }

    X509TrustManager trust() throws IOException, GeneralSecurityException {
        return trust(store());
    }

    /// A store of these alone.
    KeyStore store() throws IOException, GeneralSecurityException {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (int i = 0; i < certificates.size(); i++) {
            store.setCertificateEntry("authority-" + i, certificates.get(i));
        }
        return store;
    }

    String pem() throws GeneralSecurityException {
        var text = new StringBuilder();
        for (X509Certificate each : certificates) {
            text.append(new Pem("CERTIFICATE", each.getEncoded()).text());
        }
        return text.toString();
    }
}
