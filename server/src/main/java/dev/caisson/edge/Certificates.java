package dev.caisson.edge;

import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/// The TLS side of the preview listener: shows a certificate, and a newer one as soon as there is one, without closing a connection.
///
/// While an order by ACME is under way, or fails, a certificate of the installation's own authority is shown, so that the listener is always there.
/// Threads: one of its own looks for newer ones. Cleanup: close ends it.
public final class Certificates implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Certificates.class.getName());
    private static final Duration LOOK = Duration.ofSeconds(5);
    private static final Duration FIRST_PAUSE = Duration.ofMinutes(1);
    private static final Duration LONGEST_PAUSE = Duration.ofHours(6);

    private final SslContextFactory.Server tls = new SslContextFactory.Server();
    private final CertificateSource source;
    private final Optional<Path> authority;
    private final Thread renewing;
    private KeyMaterial shown;

    private Certificates(CertificateSource source, Optional<Path> authority, KeyMaterial first) {
        this.source = source;
        this.authority = authority;
        this.shown = first;
        show(tls, first);
        // Who must speak for one name only is checked with each request.
        tls.setSniRequired(false);
        renewing = Thread.ofVirtual().name("certificates").unstarted(this::renew);
    }

    /// Reads or makes the first certificate.
    ///
    /// @param directory for keys and certificates of our own; made when it is not there
    /// Errors: [Failure.Code#HOST_UNFIT] when there is none to show.
    public static Certificates open(TlsSettings settings, String domain, Path directory, InstantSource clock, RandomGenerator random) {
        Path own = directory.resolve(domain);
        var local = new LocalAuthority(domain, own, clock, random);
        try {
            Files.createDirectories(own);
            var opened = switch (settings) {
                case TlsSettings.OwnFiles(Path certificate, Path key) -> {
                    var files = new CertificateFiles(certificate, key);
                    yield new Certificates(files, Optional.empty(), files.current());
                }
                case TlsSettings.Local _ -> new Certificates(local, Optional.of(local.authorityFile()), local.current());
                case TlsSettings.Acme(var server, var email, var records) -> new Certificates(new AcmeCertificates(domain, server, email, records, own, clock), Optional.empty(), local.current());
            };
            opened.renewing.start();
            return opened;
        } catch (IOException | GeneralSecurityException e) {
            throw Failure.Code.HOST_UNFIT.with("there is no certificate for " + domain + ": " + e.getMessage(), "see that the files are PEM, fit each other, and are readable for the user that runs the front", e);
        }
    }

    /// For the listener.
    public SslContextFactory.Server tls() {
        return tls;
    }

    /// Certificate of the installation's own authority, where clients have to be told to trust it; PEM.
    public Optional<Path> authority() {
        return authority;
    }

    private static void show(SslContextFactory to, KeyMaterial material) {
        to.setKeyStore(material.store());
        to.setKeyStorePassword(new String(KeyMaterial.NO_PASSWORD));
    }

    private void renew() {
        Duration pause = FIRST_PAUSE;
        try {
            while (true) {
                try {
                    KeyMaterial now = source.current();
                    if (!now.leaf().equals(shown.leaf())) {
                        tls.reload(factory -> show(factory, now));
                        shown = now;
                        LOG.log(System.Logger.Level.INFO, "what=certificate serial={0} until={1}", now.leaf().getSerialNumber().toString(16), now.leaf().getNotAfter().toInstant());
                    }
                    pause = FIRST_PAUSE;
                    Thread.sleep(LOOK);
                } catch (InterruptedException e) {
                    throw e;
                } catch (Exception e) {
                    LOG.log(System.Logger.Level.WARNING, "what=certificate-not-renewed why={0} again_in={1}", e.getMessage(), pause);
                    Thread.sleep(source instanceof CertificateFiles ? LOOK : pause);
                    pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) < 0 ? pause.multipliedBy(2) : LONGEST_PAUSE;
                }
            }
        } catch (InterruptedException _) {
            // Closed.
        }
    }

    @Override
    public void close() {
        renewing.interrupt();
    }
}
