package dev.caisson.app;

import dev.caisson.api.Doors;
import dev.caisson.api.HttpListener;
import dev.caisson.api.ListenSettings;
import dev.caisson.api.PreviewDomain;
import dev.caisson.api.e2b.E2bDoor;
import dev.caisson.api.mcp.McpDoor;
import dev.caisson.api.rest.PreviewLinks;
import dev.caisson.api.rest.RestDoor;
import dev.caisson.edge.Certificates;
import dev.caisson.edge.EdgeLimits;
import dev.caisson.edge.PreviewDoor;
import dev.caisson.egress.Presets;
import dev.caisson.egress.SecretSeal;
import dev.caisson.egress.SecretValue;
import dev.caisson.json.Json;
import dev.caisson.policy.EgressPolicy;
import dev.caisson.policy.KeyStore;
import dev.caisson.policy.NewKey;
import dev.caisson.policy.PortLinks;
import dev.caisson.policy.Quota;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.SecretSealer;
import dev.caisson.policy.Secrets;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.random.RandomGenerator;

/// A running front: the keys and the REST door over some [Sandboxes].
///
/// Cleanup: close ends the door, then the keys; the sandboxes are the caller's.
final class Front implements AutoCloseable {
    private final KeyStore keys;
    private final HttpListener http;
    private final Optional<NewKey> firstKey;
    private final Optional<PreviewDomain> domain;
    private final Optional<Certificates> certificates;
    private final PreviewDoor preview;

    private Front(KeyStore keys, HttpListener http, Optional<NewKey> firstKey, Optional<PreviewDomain> domain, Optional<Certificates> certificates, PreviewDoor preview) {
        this.keys = keys;
        this.http = http;
        this.firstKey = firstKey;
        this.domain = domain;
        this.certificates = certificates;
        this.preview = preview;
    }

    /// Starts listening, and makes the first key when there was never one.
    ///
    /// @param random must be fit for secrets
    static Front start(FrontSettings settings, Sandboxes sandboxes, InstantSource clock, RandomGenerator random) {
        makeDirectory(settings);
        // Two things that take most of the start and have nothing to do with each other.
        var opening = new FutureTask<>(() -> KeyStore.open(settings.keyStore(), clock, random, settings.localKeySha256()));
        Thread.ofPlatform().name("keys").start(opening);
        var http = new HttpListener(ListenSettings.at(settings.listen()));
        KeyStore keys = opened(opening);
        try {
            Optional<Certificates> certificates = secure(settings, http, clock, random);
            http.bind();
            Optional<PreviewDomain> domain = settings.preview().map(preview -> preview.domain(http.port(), http.securePort()));
            var tiers = new TierPolicy(sandboxes, keys::hasOthers, settings.walls());
            var quota = new Quota(sandboxes, Quota.DEFAULT_SANDBOXES);
            var tokens = SandboxTokens.open(settings.tokenSecret(), random);
            var links = new PortLinks(tokens, clock);
            var urls = new PreviewLinks(domain, tokens, links);
            var preview = new PreviewDoor(domain, sandboxes, tokens, links, EdgeLimits.DEFAULT);
            var ways = new WayOut(policy(settings), new Secrets(sealer(settings)));
            var rest = RestDoor.handler(sandboxes, keys, quota, tiers, ways, urls, RestDoor.HEARTBEAT);
            var e2b = new E2bDoor(sandboxes, keys, quota, tiers, ways, tokens, Optional.of(preview.forwarder()), clock,
                    settings.e2b().at(domain.map(PreviewDomain::authority)));
            var mcp = new McpDoor(sandboxes, keys, quota, tiers, ways, (sandbox, port, valid) -> urls.link(sandbox, port, valid), settings.mcpOrigins());
            http.open(new Doors(List.of(e2b, preview, mcp), rest), RestDoor.errors());
            // After the port is ours: a key made for a front that does not come up would never be shown.
            return new Front(keys, http, keys.isEmpty() ? Optional.of(keys.create("first")) : Optional.empty(), domain, certificates, preview);
        } catch (RuntimeException e) {
            try (keys) {
                http.close();
            }
            throw e;
        }
    }

    private static EgressPolicy policy(FrontSettings settings) {
        var presets = new Presets(settings.presets());
        var file = settings.egressPolicy().map(path -> EgressFile.read(path, presets)).orElseGet(EgressFile::standard);
        return file.policy(settings.egressOpen(), presets);
    }

    /// Seals values of secrets for the gateway. Its key is read each time: the gateway may make it after us, and make it anew.
    private static SecretSealer sealer(FrontSettings settings) {
        var random = new SecureRandom();
        return (name, hosts, places, value) -> {
            var seal = SecretSeal.of(settings.sealKey(), random);
            try (var closing = SecretValue.taking(value)) {
                return seal.bind(name, hosts, places, closing);
            }
        };
    }

    private static Optional<Certificates> secure(FrontSettings settings, HttpListener http, InstantSource clock, RandomGenerator random) {
        if (settings.preview().isEmpty() || settings.preview().get().tlsListen().isEmpty()) {
            return Optional.empty();
        }
        PreviewSettings preview = settings.preview().get();
        var certificates = Certificates.open(preview.tls(), preview.name(), settings.tls(), clock, random);
        http.secure(preview.tlsListen().orElseThrow(), certificates.tls());
        return Optional.of(certificates);
    }

    private static KeyStore opened(FutureTask<KeyStore> opening) {
        try {
            return opening.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof SandboxException known ? known : Failure.Code.INTERNAL.with("the key store could not be opened: " + e.getCause(), "report this", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Failure.Code.INTERNAL.with("interrupted while starting", "start again", e);
        }
    }

    private static void makeDirectory(FrontSettings settings) {
        try {
            if (!Files.isDirectory(settings.directory())) {
                Files.createDirectories(settings.directory(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            }
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("cannot make " + settings.directory() + ": " + e.getMessage(), "make it and give it to the user that runs the front", e);
        }
    }

    URI url() {
        return http.url();
    }

    /// What the process prints when it is ready: one line of JSON. The key is in it only when it was made just now; `ca` is the certificate, in PEM, that
    /// clients of previews have to be told to trust.
    String readyLine() {
        byte[] line = Json.object(out -> {
            out.writeStringProperty("url", url().toString());
            firstKey.ifPresent(key -> out.writeStringProperty("key", key.text().secret()));
            domain.ifPresent(name -> out.writeStringProperty("domain", name.authority()));
            certificates.flatMap(Certificates::authority).ifPresent(file -> out.writeStringProperty("ca", text(file)));
        });
        return new String(line, StandardCharsets.UTF_8);
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("cannot read " + file + ": " + e.getMessage(), "see whose it is", e);
        }
    }

    @Override
    public void close() {
        try (keys; preview) {
            http.close();
        }
        certificates.ifPresent(Certificates::close);
    }
}
