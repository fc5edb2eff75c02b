package dev.caisson.client;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.channels.SocketChannel;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/// Where an installation listens, and the key for it.
///
/// @param prefix path before `/v1`, without a slash at its end
record Endpoint(boolean tls, String host, int port, String prefix, String key) {
    private static final int CONNECT_TIMEOUT_MS = 10_000;

    static Endpoint of(String url, String key) {
        URI uri;
        try {
            uri = URI.create(url.strip());
        } catch (IllegalArgumentException e) {
            throw unusable(url, e);
        }
        boolean tls = "https".equalsIgnoreCase(uri.getScheme());
        if (!tls && !"http".equalsIgnoreCase(uri.getScheme()) || uri.getHost() == null || uri.getRawUserInfo() != null || uri.getRawQuery() != null) {
            throw unusable(url, null);
        }
        if (key.isEmpty() || key.chars().anyMatch(c -> c <= 0x20 || c >= 0x7f)) {
            throw new CaissonException("bad-request", 0, "the key is not a Caisson key", "set CAISSON_KEY to a key made with `caisson key create`", null);
        }
        String path = uri.getRawPath() == null ? "" : uri.getRawPath();
        int port = uri.getPort() >= 0 ? uri.getPort() : tls ? 443 : 80;
        return new Endpoint(tls, uri.getHost().replaceAll("[\\[\\]]", ""), port, path.replaceAll("/+$", ""), key);
    }

    private static CaissonException unusable(String url, @org.jspecify.annotations.Nullable Throwable cause) {
        return new CaissonException("bad-request", 0, "not an address of a Caisson: '" + url + "'", "write it like http://127.0.0.1:7070", cause);
    }

    String authority() {
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }

    Connection dial() throws IOException {
        var channel = SocketChannel.open();
        try {
            channel.socket().connect(new InetSocketAddress(host, port), CONNECT_TIMEOUT_MS);
            channel.socket().setTcpNoDelay(true);
            channel.socket().setKeepAlive(true);
            return new Connection(channel, tls ? secured(channel.socket()) : channel.socket());
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private Socket secured(Socket plain) throws IOException {
        var socket = (SSLSocket) ((SSLSocketFactory) SSLSocketFactory.getDefault()).createSocket(plain, host, port, true);
        var parameters = new SSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        return socket;
    }

    /// Without the key, which is a secret.
    @Override
    public String toString() {
        return (tls ? "https://" : "http://") + authority() + prefix;
    }
}
