package dev.caisson.egress;

import dev.caisson.sandbox.SandboxId;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.crypto.SecretKey;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;

/// The certificate authority of one sandbox, which nobody else trusts: in its name the gateway shows itself as the hosts whose TLS it opens.
///
/// Keys and the authority's certificate follow from the gateway's master key, the sandbox's id and the time it was made: a gateway that starts again makes the very
/// same ones, and the sandbox, which got the certificate at its start, goes on trusting it. Nothing is kept on disk.
///
/// Threads: safe for many.
final class SandboxAuthority {
    /// Sandboxes may be kept and paused for long; the key dies with the sandbox's entry anyway.
    private static final Duration LIVES = Duration.ofDays(3_650);
    /// Some clients refuse certificates of more than 398 days.
    private static final Duration LEAF_LIVES = Duration.ofDays(90);
    private static final Duration RENEWED_BEFORE = Duration.ofDays(30);
    private static final Duration CLOCKS_DIFFER = Duration.ofDays(1);
    private static final int MAX_HOSTS = 256;
    private static final int MAX_SESSIONS = 16;

    private final DerivedKeys keys;
    private final InstantSource clock;
    private final X509Certificate certificate;
    private final Map<String, Leaf> leaves = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Leaf> eldest) {
            return size() > MAX_HOSTS;
        }
    };

    /// What is shown for one host.
    private record Leaf(SSLContext context, Instant renewed) {}

    private SandboxAuthority(DerivedKeys keys, X509Certificate certificate, InstantSource clock) {
        this.keys = keys;
        this.certificate = certificate;
        this.clock = clock;
    }

    /// @param master from [SealKey#master]
    /// @param created of the sandbox: always the same, to the second
    /// @param clock when certificates for hosts begin
    static SandboxAuthority of(SecretKey master, SandboxId sandbox, Instant created, InstantSource clock) {
        var keys = new DerivedKeys(master, sandbox.value());
        Instant from = created.truncatedTo(ChronoUnit.SECONDS).minus(CLOCKS_DIFFER);
        var name = new X500Name("CN=Caisson sandbox " + sandbox);
        try {
            var pair = keys.pair("authority");
            var builder = new JcaX509v3CertificateBuilder(name, keys.number("serial of authority " + from), Date.from(from), Date.from(from.plus(LIVES)), name, pair.getPublic());
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0))
                    .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign))
                    .addExtension(Extension.subjectKeyIdentifier, false, new JcaX509ExtensionUtils().createSubjectKeyIdentifier(pair.getPublic()));
            return new SandboxAuthority(keys, new JcaX509CertificateConverter().getCertificate(builder.build(keys.signer("authority"))), clock);
        } catch (CertIOException | GeneralSecurityException e) {
            throw new IllegalStateException("cannot make an authority", e);
        }
    }

    /// What the sandbox trusts.
    X509Certificate certificate() {
        return certificate;
    }

    String certificatePem() {
        try {
            return new Pem("CERTIFICATE", certificate.getEncoded()).text();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("a certificate of ours without a form", e);
        }
    }

    /// The server's side of TLS in the name of one host.
    ///
    /// @param host in its one spelling, a name
    SSLContext contextFor(String host) throws GeneralSecurityException {
        Instant now = clock.instant();
        synchronized (leaves) {
            Leaf known = leaves.get(host);
            if (known != null && now.isBefore(known.renewed)) {
                return known.context;
            }
        }
        // Outside the lock: making one takes milliseconds, and two that are made at once are equally good.
        var made = new Leaf(context(host, now), now.plus(LEAF_LIVES).minus(RENEWED_BEFORE));
        synchronized (leaves) {
            leaves.put(host, made);
        }
        return made.context;
    }

    private SSLContext context(String host, Instant now) throws GeneralSecurityException {
        var context = SSLContext.getInstance("TLS");
        // The authority itself is not shown: whoever trusts it has it.
        context.init(new KeyManager[] {new LeafKey(keys.pair("leaf").getPrivate(), leaf(host, now))}, new TrustManager[0], null);
        context.getServerSessionContext().setSessionCacheSize(MAX_SESSIONS);
        return context;
    }

    X509Certificate leaf(String host, Instant now) throws GeneralSecurityException {
        Instant from = now.truncatedTo(ChronoUnit.SECONDS).minus(CLOCKS_DIFFER);
        var pair = keys.pair("leaf");
        BigInteger serial = keys.number("serial of " + host + " " + from);
        var builder = new JcaX509v3CertificateBuilder(certificate, serial, Date.from(from), Date.from(now.plus(LEAF_LIVES)), new X500Name("CN=Caisson sandbox host"), pair.getPublic());
        var extensions = new JcaX509ExtensionUtils();
        try {
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                    .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
                    .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(KeyPurposeId.id_kp_serverAuth))
                    .addExtension(Extension.subjectAlternativeName, false, new GeneralNames(new GeneralName(GeneralName.dNSName, host)))
                    .addExtension(Extension.subjectKeyIdentifier, false, extensions.createSubjectKeyIdentifier(pair.getPublic()))
                    .addExtension(Extension.authorityKeyIdentifier, false, extensions.createAuthorityKeyIdentifier(certificate.getPublicKey()));
        } catch (CertIOException e) {
            throw new GeneralSecurityException("cannot make a certificate for " + host, e);
        }
        return new JcaX509CertificateConverter().getCertificate(builder.build(keys.signer("authority")));
    }
}
