package dev.caisson.edge;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.util.io.pem.PemObject;

/// A private key and the certificates that vouch for it, its own first.
record KeyMaterial(PrivateKey key, List<X509Certificate> chain) {
    private static final int MAX_FILE = 1 << 20;
    static final char[] NO_PASSWORD = "unused".toCharArray();

    KeyMaterial {
        chain = List.copyOf(chain);
        if (chain.isEmpty()) {
            throw new IllegalArgumentException("no certificate");
        }
    }

    X509Certificate leaf() {
        return chain.getFirst();
    }

    /// Reads two PEM files, or one that has both.
    static KeyMaterial read(Path certificates, Path key) throws IOException, GeneralSecurityException {
        var chain = new ArrayList<X509Certificate>();
        for (Object each : objects(certificates)) {
            if (each instanceof X509CertificateHolder holder) {
                chain.add(new JcaX509CertificateConverter().getCertificate(holder));
            }
        }
        if (chain.isEmpty()) {
            throw new IOException(certificates + " has no certificate in it");
        }
        for (Object each : objects(key)) {
            var converter = new JcaPEMKeyConverter();
            if (each instanceof PrivateKeyInfo info) {
                return new KeyMaterial(converter.getPrivateKey(info), chain);
            }
            if (each instanceof PEMKeyPair pair) {
                return new KeyMaterial(converter.getPrivateKey(pair.getPrivateKeyInfo()), chain);
            }
        }
        throw new IOException(key + " has no private key in it, or one with a password");
    }

    static KeyPair readPair(Path file) throws IOException {
        for (Object each : objects(file)) {
            if (each instanceof PEMKeyPair pair) {
                return new JcaPEMKeyConverter().getKeyPair(pair);
            }
        }
        throw new IOException(file + " has no key pair in it");
    }

    private static List<Object> objects(Path file) throws IOException {
        if (Files.size(file) > MAX_FILE) {
            throw new IOException(file + " is larger than 1 MiB");
        }
        var found = new ArrayList<Object>();
        try (var parser = new PEMParser(new StringReader(Files.readString(file, StandardCharsets.US_ASCII)))) {
            for (Object next = parser.readObject(); next != null; next = parser.readObject()) {
                found.add(next);
            }
        }
        return found;
    }

    /// Private keys go out as PKCS#8: the older form of an elliptic key, which the writer would choose, does not always name its curve.
    static String pem(List<?> objects) throws IOException {
        var text = new StringWriter();
        try (var writer = new JcaPEMWriter(text)) {
            for (Object each : objects) {
                writer.writeObject(each instanceof PrivateKey key ? new PemObject("PRIVATE KEY", key.getEncoded()) : each);
            }
        }
        return text.toString();
    }

    /// Replaces a file whole; readable by its owner only.
    static void write(Path file, String text) throws IOException {
        Path draft = Files.createTempFile(file.toAbsolutePath().getParent(), "new", "", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            Files.writeString(draft, text);
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(draft);
        }
    }

    KeyStore store() {
        try {
            var store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setKeyEntry("preview", key, NO_PASSWORD, chain.toArray(Certificate[]::new));
            return store;
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException("every JDK can keep a key in memory", e);
        }
    }
}
