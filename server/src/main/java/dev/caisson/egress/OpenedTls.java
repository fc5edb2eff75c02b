package dev.caisson.egress;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIMatcher;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.StandardConstants;
import javax.net.ssl.TrustManager;

/// TLS that ends at the gateway: towards the sandbox in the name of the host, towards the host as any client, with HTTP/1.1 on both.
///
/// Blocking; a handshake that takes longer than a head may is cut.
/// Threads: safe for many.
final class OpenedTls {
    private static final String[] VERSIONS = {"TLSv1.3", "TLSv1.2"};
    private static final String[] HTTP = {"http/1.1"};

    private static final int MAX_SESSIONS = 1024;

    private final SSLContext outward;
    private final Deadlines deadlines;

    /// @param roots whom the gateway believes
    OpenedTls(TrustedRoots roots, Deadlines deadlines) throws IOException, GeneralSecurityException {
        this.deadlines = deadlines;
        outward = SSLContext.getInstance("TLS");
        outward.init(null, new TrustManager[] {roots.trust()}, null);
        outward.getClientSessionContext().setSessionCacheSize(MAX_SESSIONS);
    }

    /// Takes a connection of a sandbox, which will see the host's name vouched for by its own authority.
    ///
    /// @param consumed what has been read of it already
    /// @param host in its one spelling; a client that names another one is refused
    Wire accept(Socket connection, byte[] consumed, SandboxAuthority authority, String host) throws IOException {
        try {
            var socket = (SSLSocket) authority.contextFor(host).getSocketFactory().createSocket(connection, new ByteArrayInputStream(consumed), true);
            socket.setUseClientMode(false);
            var parameters = socket.getSSLParameters();
            parameters.setProtocols(VERSIONS);
            parameters.setApplicationProtocols(HTTP);
            parameters.setSNIMatchers(List.of(new OneName(host)));
            socket.setSSLParameters(parameters);
            return shaken(socket, connection);
        } catch (GeneralSecurityException e) {
            throw new IOException("cannot vouch for " + host, e);
        }
    }

    /// Makes TLS of a connection to the host; its certificate has been verified when this returns.
    ///
    /// Errors: the connection is closed, and the message says what is wrong with the certificate.
    Wire connect(Socket connection, String host, int port) throws IOException {
        try {
            var socket = (SSLSocket) outward.getSocketFactory().createSocket(connection, host, port, true);
            var parameters = socket.getSSLParameters();
            parameters.setProtocols(VERSIONS);
            parameters.setApplicationProtocols(HTTP);
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            parameters.setServerNames(List.of(new SNIHostName(host.getBytes(StandardCharsets.US_ASCII))));
            socket.setSSLParameters(parameters);
            return shaken(socket, connection);
        } catch (IOException e) {
            connection.close();
            throw new IOException("no TLS with " + host + ": " + rootOf(e).getMessage(), e);
        }
    }

    private Wire shaken(SSLSocket socket, Socket connection) throws IOException {
        try (var _ = deadlines.within(deadlines.times().head(), Wire.of(connection)::close)) {
            socket.startHandshake();
            return Wire.of(socket, connection);
        }
    }

    private static Throwable rootOf(Throwable failure) {
        Throwable root = failure;
        for (int i = 0; i < 16; i++) {
            Throwable cause = root.getCause();
            if (cause == null) {
                return root;
            }
            root = cause;
        }
        return root;
    }

    /// Accepts one name, in any case.
    private static final class OneName extends SNIMatcher {
        private final String host;

        OneName(String host) {
            super(StandardConstants.SNI_HOST_NAME);
            this.host = host;
        }

        @Override
        public boolean matches(SNIServerName name) {
            return new String(name.getEncoded(), StandardCharsets.ISO_8859_1).equalsIgnoreCase(host);
        }
    }
}
