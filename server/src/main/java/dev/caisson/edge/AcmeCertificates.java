package dev.caisson.edge;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.shredzone.acme4j.AccountBuilder;
import org.shredzone.acme4j.Authorization;
import org.shredzone.acme4j.Order;
import org.shredzone.acme4j.Session;
import org.shredzone.acme4j.Status;
import org.shredzone.acme4j.challenge.Dns01Challenge;
import org.shredzone.acme4j.exception.AcmeException;

/// A wildcard certificate ordered by ACME, proved by DNS records (dns-01, the only way to one), and ordered anew when a third of its life is left.
///
/// Account key, certificate and its key are kept in a directory of the front's.
final class AcmeCertificates implements CertificateSource {
    private static final Duration STEP_WITHIN = Duration.ofMinutes(3);

    private final String domain;
    private final URI server;
    private final String email;
    private final DnsRecords records;
    private final Path directory;
    private final InstantSource clock;
    private @Nullable KeyMaterial last;

    /// @param server the authority's directory URL
    AcmeCertificates(String domain, URI server, String email, DnsRecords records, Path directory, InstantSource clock) {
        this.domain = domain;
        this.server = server;
        this.email = email;
        this.records = records;
        this.directory = directory;
        this.clock = clock;
    }

    @Override
    public KeyMaterial current() throws IOException, GeneralSecurityException, InterruptedException {
        KeyMaterial known = last;
        if (known == null && Files.exists(certificateFile())) {
            known = KeyMaterial.read(certificateFile(), keyFile());
        }
        if (known == null || isDue(known.leaf())) {
            try {
                known = ordered();
            } catch (AcmeException e) {
                throw new IOException("the authority at " + server + " gave no certificate: " + e.getMessage(), e);
            }
        }
        last = known;
        return known;
    }

    private Path certificateFile() {
        return directory.resolve("acme.pem");
    }

    private Path keyFile() {
        return directory.resolve("acme.key");
    }

    private boolean isDue(X509Certificate certificate) {
        Instant from = certificate.getNotBefore().toInstant();
        Instant until = certificate.getNotAfter().toInstant();
        return clock.instant().isAfter(until.minus(Duration.between(from, until).dividedBy(3)));
    }

    private KeyMaterial ordered() throws AcmeException, IOException, GeneralSecurityException, InterruptedException {
        Files.createDirectories(directory);
        var account = new AccountBuilder().agreeToTermsOfService().useKeyPair(accountKey());
        if (!email.isEmpty()) {
            account.addEmail(email);
        }
        Order order = account.createLogin(new Session(server)).newOrder().domains("*." + domain, domain).create();
        prove(order);
        KeyPair pair = LocalAuthority.pair();
        must(order.waitUntilReady(STEP_WITHIN), Status.READY, order);
        order.execute(pair);
        must(order.waitForCompletion(STEP_WITHIN), Status.VALID, order);
        var material = new KeyMaterial(pair.getPrivate(), order.getCertificate().getCertificateChain());
        // The key first: a crash between the two leaves a pair that does not fit, which the next read refuses to use.
        KeyMaterial.write(keyFile(), KeyMaterial.pem(List.of(pair.getPrivate())));
        KeyMaterial.write(certificateFile(), KeyMaterial.pem(material.chain()));
        return material;
    }

    private record Record(String name, String value) {}

    /// Both names are proved by records of one name, so all are set before the first is judged.
    private void prove(Order order) throws AcmeException, IOException, InterruptedException {
        var set = new ArrayList<Record>();
        try {
            var pending = new ArrayList<Authorization>();
            var challenges = new ArrayList<Dns01Challenge>();
            for (Authorization authorization : order.getAuthorizations()) {
                if (authorization.getStatus() == Status.VALID) {
                    continue;
                }
                var challenge = authorization.findChallenge(Dns01Challenge.class).orElseThrow(() -> new AcmeException("it offers no proof by DNS for " + authorization.getIdentifier().getDomain()));
                var record = new Record(withoutDot(challenge.getRRName(authorization.getIdentifier())), challenge.getDigest());
                set.add(record);
                records.set(record.name(), record.value());
                pending.add(authorization);
                challenges.add(challenge);
            }
            for (Dns01Challenge challenge : challenges) {
                challenge.trigger();
            }
            for (Authorization authorization : pending) {
                Status status = authorization.waitForCompletion(STEP_WITHIN);
                if (status != Status.VALID) {
                    String why = authorization.findChallenge(Dns01Challenge.class).flatMap(Dns01Challenge::getError).map(Object::toString).orElse(status.toString());
                    throw new AcmeException("it did not accept the proof for " + authorization.getIdentifier().getDomain() + ": " + why);
                }
            }
        } finally {
            for (Record record : set) {
                records.clear(record.name(), record.value());
            }
        }
    }

    private static String withoutDot(String name) {
        return name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
    }

    private static void must(Status status, Status wanted, Order order) throws AcmeException {
        if (status != wanted) {
            throw new AcmeException("the order is " + status + order.getError().map(error -> ": " + error).orElse(""));
        }
    }

    private KeyPair accountKey() throws IOException, GeneralSecurityException {
        Path file = directory.resolve("acme-account.key");
        if (Files.exists(file)) {
            return KeyMaterial.readPair(file);
        }
        // RSA: its private half, as it is written, has all that the public one is made from.
        var generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        KeyPair pair = generator.generateKeyPair();
        KeyMaterial.write(file, KeyMaterial.pem(List.of(pair)));
        return pair;
    }
}
