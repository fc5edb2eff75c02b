package dev.caisson.api;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.OptionalInt;
import org.eclipse.jetty.alpn.server.ALPNServerConnectionFactory;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.http2.server.HTTP2ServerConnectionFactory;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.VirtualThreadPool;
import org.jspecify.annotations.Nullable;

/// The one port at which all clients knock: HTTP/1.1 and HTTP/2 without TLS, one virtual thread a request. What is answered is the [Doors]' business.
///
/// Cleanup: close stops listening at once and ends open requests.
public final class HttpListener implements AutoCloseable {
    /// Of buffers on the heap, and as much outside it.
    private static final long MAX_KEPT_BYTES = 4L << 20;
    /// Requests, heartbeats of the server itself and its selectors at a time.
    private static final int MAX_TASKS = 40_000;
    private static final int MAX_WATCHERS = 16;
    /// Requests of one HTTP/2 connection at a time.
    private static final int MAX_STREAMS = 128;
    /// Paths that two programs could read in two ways are let in for what goes on into a sandbox as it is; [Doors] refuses them for everybody else.
    private static final UriCompliance PATHS = UriCompliance.DEFAULT.with(
            "CAISSON", UriCompliance.Violation.AMBIGUOUS_PATH_SEGMENT, UriCompliance.Violation.AMBIGUOUS_EMPTY_SEGMENT, UriCompliance.Violation.AMBIGUOUS_PATH_SEPARATOR,
            UriCompliance.Violation.AMBIGUOUS_PATH_PARAMETER, UriCompliance.Violation.AMBIGUOUS_PATH_ENCODING, UriCompliance.Violation.SUSPICIOUS_PATH_CHARACTERS);

    private final ListenSettings settings;
    private final Server server;
    private final ServerConnector connector;
    private @Nullable ServerConnector secure;

    /// Makes a server that does not listen yet. Most of a front's time to start is spent here, in the HTTP library's own classes, so a caller with something
    /// else to open does that at the same time.
    public HttpListener(ListenSettings settings) {
        this.settings = settings;
        server = new Server(threads(), null, buffers());
        // Streams may go on for a day: they are cut, which their clients can tell from an end.
        server.setStopTimeout(0);

        HttpConfiguration http = http();
        var h2c = new HTTP2CServerConnectionFactory(http);
        h2c.setMaxConcurrentStreams(MAX_STREAMS);
        // A WebSocket comes as an HTTP/1.1 upgrade: clients use the other way only where it is offered.
        h2c.setConnectProtocolEnabled(false);
        connector = new ServerConnector(server, null, null, null, 1, 1, new PromptHttp(http, settings.head()), h2c);
        add(connector, settings.listen());
    }

    /// Listens at a second address as well, with TLS: HTTP/1.1 and HTTP/2 by ALPN. Before [#bind].
    ///
    /// @param tls is started and stopped with this listener
    public void secure(InetSocketAddress listen, SslContextFactory.Server tls) {
        HttpConfiguration http = http();
        http.setSecureScheme("https");
        http.addCustomizer(new SecureRequestCustomizer(false));
        var h2 = new HTTP2ServerConnectionFactory(http);
        h2.setMaxConcurrentStreams(MAX_STREAMS);
        h2.setConnectProtocolEnabled(false);
        var alpn = new ALPNServerConnectionFactory();
        alpn.setDefaultProtocol(HttpVersion.HTTP_1_1.asString());
        var added = new ServerConnector(server, null, null, null, 1, 1, new SslConnectionFactory(tls, alpn.getProtocol()), alpn, h2, new PromptHttp(http, settings.head()));
        add(added, listen);
        secure = added;
    }

    private void add(ServerConnector added, InetSocketAddress listen) {
        added.setHost(listen.getHostString());
        added.setPort(listen.getPort());
        added.setIdleTimeout(settings.idle().toMillis());
        added.setAcceptQueueSize(1024);
        server.addConnector(added);
        server.addBean(new NetworkConnectionLimit(settings.connections(), added));
    }

    /// Takes its ports; nobody is answered yet. Once.
    /// Errors: [Failure.Code#HOST_UNFIT] when an address cannot be listened on.
    public void bind() {
        bind(connector, settings.listen());
        ServerConnector other = secure;
        if (other != null) {
            bind(other, new InetSocketAddress(other.getHost(), other.getPort()));
        }
    }

    private void bind(ServerConnector one, InetSocketAddress listen) {
        try {
            one.open();
        } catch (IOException e) {
            close();
            throw cannotListen(listen, e);
        }
    }

    /// Starts answering. Once.
    /// Errors: [Failure.Code#HOST_UNFIT] when the address cannot be listened on.
    ///
    /// @param errors tells what the HTTP server itself refuses
    public void open(Handler doors, Request.Handler errors) {
        server.setHandler(doors);
        server.setErrorHandler(errors);
        try {
            server.start();
        } catch (Exception e) {
            close();
            throw cannotListen(settings.listen(), e);
        }
    }

    /// Connections are watched by a few platform threads, so that a request wakes no thread just to be noticed; each is answered on a virtual one.
    private static QueuedThreadPool threads() {
        var answering = new VirtualThreadPool();
        answering.setName("request");
        answering.setMaxConcurrentTasks(MAX_TASKS);
        var watching = new QueuedThreadPool(MAX_WATCHERS, 4);
        watching.setName("http");
        watching.setVirtualThreadsExecutor(answering);
        return watching;
    }

    /// Kept for the next request: less than Jetty would keep, which is what a thousand connections at once have left behind, for good.
    private static ArrayByteBufferPool buffers() {
        return new ArrayByteBufferPool(0, -1, -1, -1, MAX_KEPT_BYTES, MAX_KEPT_BYTES);
    }

    private static HttpConfiguration http() {
        var http = new HttpConfiguration();
        http.setSendServerVersion(false);
        http.setSendXPoweredBy(false);
        http.setRequestHeaderSize(ListenSettings.MAX_HEADER_BYTES);
        http.setOutputBufferSize(32 * 1024);
        http.setUriCompliance(PATHS);
        return http;
    }

    private static SandboxException cannotListen(InetSocketAddress listen, Exception e) {
        String where = listen.getHostString() + ":" + listen.getPort();
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof BindException && String.valueOf(cause.getMessage()).contains("in use")) {
                return Failure.Code.HOST_UNFIT.with(
                        "cannot listen on " + where + ": " + cause.getMessage(),
                        "see who has the port with `ss -ltnp 'sport = :" + listen.getPort() + "'`, or choose another with --listen HOST:PORT (port 0 takes a free one)", e);
            }
        }
        String why = e instanceof IOException ? String.valueOf(e.getMessage()) : e.toString();
        return Failure.Code.HOST_UNFIT.with("cannot listen on " + where + ": " + why, "name an address of this machine, and a port above 1023, with --listen HOST:PORT", e);
    }

    /// The port that is listened on; never 0.
    public int port() {
        return connector.getLocalPort();
    }

    /// The port that is listened on with TLS; empty where there is none.
    public OptionalInt securePort() {
        ServerConnector other = secure;
        return other == null ? OptionalInt.empty() : OptionalInt.of(other.getLocalPort());
    }

    /// Where clients on this machine find it.
    public URI url() {
        String host = connector.getHost();
        return URI.create("http://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port());
    }

    @Override
    public void close() {
        try {
            server.stop();
        } catch (Exception e) {
            throw Failure.Code.INTERNAL.with("the HTTP server did not stop: " + e.getMessage(), "end the process", e);
        }
    }
}
