package dev.caisson.edge;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.random.RandomGenerator;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.GeneralSubtree;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.NameConstraints;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.jspecify.annotations.Nullable;

/// A certificate authority of this installation's own, for one domain: made once and kept, so that it is trusted once; it issues the wildcard certificate and renews it.
///
/// It is constrained to names below its domain, so whoever trusts it trusts it for nothing else.
final class LocalAuthority implements CertificateSource {
    private static final Duration AUTHORITY_LIVES = Duration.ofDays(3_650);
    /// Some clients refuse certificates of more than 398 days, even of a private authority.
    private static final Duration LEAF_LIVES = Duration.ofDays(90);
    private static final Duration RENEWED_BEFORE = Duration.ofDays(30);
    private static final Duration CLOCKS_DIFFER = Duration.ofHours(1);

    private final String domain;
    private final Path directory;
    private final InstantSource clock;
    private final RandomGenerator random;
    private @Nullable KeyMaterial last;

    /// @param directory holds authority and certificate of this domain; made when it is not there
    /// @param random for serial numbers
    LocalAuthority(String domain, Path directory, InstantSource clock, RandomGenerator random) {
        this.domain = domain;
        this.directory = directory;
        this.clock = clock;
        this.random = random;
    }

    Path authorityFile() {
        return directory.resolve("ca.pem");
    }

    @Override
    public KeyMaterial current() throws IOException, GeneralSecurityException {
        KeyMaterial known = last;
        if (known == null && Files.exists(directory.resolve("leaf.pem"))) {
            known = KeyMaterial.read(directory.resolve("leaf.pem"), directory.resolve("leaf.key"));
        }
        if (known == null || clock.instant().plus(RENEWED_BEFORE).isAfter(known.leaf().getNotAfter().toInstant())) {
            try {
                known = issued();
            } catch (OperatorCreationException e) {
                throw new GeneralSecurityException("cannot sign a certificate", e);
            }
        }
        last = known;
        return known;
    }

    private KeyMaterial issued() throws IOException, GeneralSecurityException, OperatorCreationException {
        var authority = authority();
        var pair = pair();
        var names = new GeneralNames(new GeneralName[] {new GeneralName(GeneralName.dNSName, "*." + domain), new GeneralName(GeneralName.dNSName, domain)});
        var builder = new JcaX509v3CertificateBuilder(authority.leaf(), serial(), from(), until(LEAF_LIVES), new X500Name("CN=Caisson preview"), pair.getPublic());
        var extensions = new JcaX509ExtensionUtils();
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
                .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(KeyPurposeId.id_kp_serverAuth))
                .addExtension(Extension.subjectAlternativeName, false, names)
                .addExtension(Extension.subjectKeyIdentifier, false, extensions.createSubjectKeyIdentifier(pair.getPublic()))
                .addExtension(Extension.authorityKeyIdentifier, false, extensions.createAuthorityKeyIdentifier(authority.leaf()));
        X509Certificate leaf = new JcaX509CertificateConverter().getCertificate(builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(authority.key())));
        var material = new KeyMaterial(pair.getPrivate(), List.of(leaf, authority.leaf()));
        KeyMaterial.write(directory.resolve("leaf.key"), KeyMaterial.pem(List.of(pair.getPrivate())));
        KeyMaterial.write(directory.resolve("leaf.pem"), KeyMaterial.pem(material.chain()));
        return material;
    }

    private KeyMaterial authority() throws IOException, GeneralSecurityException, OperatorCreationException {
        if (Files.exists(authorityFile())) {
            return KeyMaterial.read(authorityFile(), directory.resolve("ca.key"));
        }
        Files.createDirectories(directory);
        var pair = pair();
        var name = new X500Name("CN=Caisson previews of " + domain);
        var builder = new JcaX509v3CertificateBuilder(name, serial(), from(), until(AUTHORITY_LIVES), name, pair.getPublic());
        try {
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0))
                    .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign))
                    // Names below the domain, and no addresses at all: a constraint of one kind says nothing of the other.
                    .addExtension(Extension.nameConstraints, true, new NameConstraints(
                            new GeneralSubtree[] {new GeneralSubtree(new GeneralName(GeneralName.dNSName, domain))},
                            new GeneralSubtree[] {anyAddress(8), anyAddress(32)}))
                    .addExtension(Extension.subjectKeyIdentifier, false, new JcaX509ExtensionUtils().createSubjectKeyIdentifier(pair.getPublic()));
        } catch (CertIOException e) {
            throw new GeneralSecurityException("cannot make an authority", e);
        }
        X509Certificate made = new JcaX509CertificateConverter().getCertificate(builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate())));
        KeyMaterial.write(directory.resolve("ca.key"), KeyMaterial.pem(List.of(pair.getPrivate())));
        KeyMaterial.write(authorityFile(), KeyMaterial.pem(List.of(made)));
        return new KeyMaterial(pair.getPrivate(), List.of(made));
    }

    static KeyPair pair() throws GeneralSecurityException {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }

    private BigInteger serial() {
        byte[] bytes = new byte[16];
        random.nextBytes(bytes);
        return new BigInteger(1, bytes).add(BigInteger.ONE);
    }

    private Date from() {
        return Date.from(clock.instant().minus(CLOCKS_DIFFER));
    }

    private Date until(Duration lives) {
        Instant end = clock.instant().plus(lives);
        return Date.from(end);
    }

    /// Every address of version 4 (8 bytes) or 6 (32 bytes): an address of zeros with a mask of zeros.
    private static GeneralSubtree anyAddress(int bytes) {
        return new GeneralSubtree(new GeneralName(GeneralName.iPAddress, new DEROctetString(new byte[bytes])));
    }
}
