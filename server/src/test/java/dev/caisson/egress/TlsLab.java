package dev.caisson.egress;

import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;

/// Two worlds with an authority each: the sandbox, which trusts its own, and the internet, which the relay trusts.
final class TlsLab {
    static final InstantSource CLOCK = InstantSource.system();

    final SealKey key;
    final SandboxAuthority sandbox;
    final SandboxAuthority internet;
    final SandboxAuthority stranger;
    final TrustedRoots roots;
    final Path sandboxFile;
    final RelayBench.Tls tls;

    TlsLab(Path directory) throws IOException, GeneralSecurityException {
        key = SealKey.openOrMake(directory, new SecureRandom());
        sandbox = authority(1);
        internet = authority(2);
        stranger = authority(3);
        sandboxFile = Files.writeString(directory.resolve("sandbox.pem"), sandbox.certificatePem());
        roots = TrustedRoots.read(List.of(Files.writeString(directory.resolve("internet.pem"), internet.certificatePem())));
        tls = new RelayBench.Tls(sandbox, opening(RelayTimes.DEFAULT));
    }

    private SandboxAuthority authority(int seed) {
        return SandboxAuthority.of(key.master(), SandboxId.random(new Random(seed)), CLOCK.instant(), CLOCK);
    }

    OpenedTls opening(RelayTimes times) throws IOException, GeneralSecurityException {
        return new OpenedTls(roots, new Deadlines(times));
    }

    /// A place for a server that shows a certificate of that authority for a name.
    static ServerSocket listen(SandboxAuthority authority, String name) throws IOException, GeneralSecurityException {
        return listen(authority.contextFor(name));
    }

    static ServerSocket listen(SSLContext context) throws IOException {
        return context.getServerSocketFactory().createServerSocket(0, 50, InetAddress.getLoopbackAddress());
    }

    /// Shows a certificate of the internet that was good until yesterday.
    SSLContext expired(String name) throws GeneralSecurityException {
        var leaf = internet.leaf(name, CLOCK.instant().minus(Duration.ofDays(91)));
        var keys = new DerivedKeys(key.master(), SandboxId.random(new Random(2)).value());
        var context = SSLContext.getInstance("TLS");
        context.init(new javax.net.ssl.KeyManager[] {new LeafKey(keys.pair("leaf").getPrivate(), leaf)}, new TrustManager[0], null);
        return context;
    }

    /// What a program in the sandbox makes connections with.
    SSLContext client() throws IOException, GeneralSecurityException {
        var context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new TrustedRoots(List.of(sandbox.certificate())).trust()}, null);
        return context;
    }

    RelayBench.Client connect(RelayBench bench, String host) throws IOException, GeneralSecurityException {
        return connect(bench, host, new SSLParameters());
    }

    RelayBench.Client connect(RelayBench bench, String host, SSLParameters parameters) throws IOException, GeneralSecurityException {
        var plain = new Socket(InetAddress.getLoopbackAddress(), bench.port());
        plain.setSoTimeout(15_000);
        var socket = (SSLSocket) client().getSocketFactory().createSocket(plain, host, bench.port(), true);
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        return new RelayBench.Client(socket);
    }
}
