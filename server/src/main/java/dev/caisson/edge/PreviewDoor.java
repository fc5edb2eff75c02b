package dev.caisson.edge;

import dev.caisson.api.Door;
import dev.caisson.api.PreviewDomain;
import dev.caisson.policy.PortLinks;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Sandboxes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/// Takes whatever is meant for a name below the preview domain, and refuses what does not name a port in the one canonical way.
public final class PreviewDoor implements Door, AutoCloseable {
    /// Headers of one connection, which HTTP/2 has no use for (RFC 9113, 8.2.2).
    private static final List<HttpHeader> NOT_IN_HTTP2 = List.of(HttpHeader.CONNECTION, HttpHeader.TRANSFER_ENCODING, HttpHeader.UPGRADE, HttpHeader.KEEP_ALIVE, HttpHeader.PROXY_CONNECTION);

    private final Optional<PreviewDomain> domain;
    private final Admission admission;
    private final Forwarder forwarder;

    /// @param domain empty when there is none: nothing is taken, and [#forwarder] still works
    public PreviewDoor(Optional<PreviewDomain> domain, Sandboxes sandboxes, SandboxTokens tokens, PortLinks links, EdgeLimits limits) {
        this.domain = domain;
        var known = new KnownSandboxes(sandboxes);
        admission = new Admission(tokens, links, known);
        forwarder = new Forwarder(sandboxes, known, admission, limits);
    }

    /// For doors that learn a request's sandbox and port in another way.
    public Forwarder forwarder() {
        return forwarder;
    }

    @Override
    public boolean takes(Request request) {
        return domain.isPresent() && authorities(request).stream().map(each -> PreviewHost.parse(each, domain.get())).anyMatch(host -> !(host instanceof PreviewHost.Elsewhere || host instanceof PreviewHost.Other));
    }

    @Override
    public Handler handler() {
        return new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
                answer(request, response, callback);
                return true;
            }
        };
    }

    /// Every name that the request gives for where it wants to go.
    private static List<String> authorities(Request request) {
        var all = new ArrayList<>(request.getHeaders().getValuesList(HttpHeader.HOST));
        String authority = request.getHttpURI().getAuthority();
        if (authority != null && !all.contains(authority)) {
            all.add(authority);
        }
        return all;
    }

    private void answer(Request request, Response response, Callback callback) {
        if (request.getConnectionMetaData().getHttpVersion() == HttpVersion.HTTP_2 && NOT_IN_HTTP2.stream().anyMatch(request.getHeaders()::contains)) {
            Refusal.malformed("a header that HTTP/2 does not have").answer(request, response, callback);
            return;
        }
        List<String> authorities = authorities(request).stream().map(each -> each.toLowerCase(Locale.ROOT)).distinct().toList();
        if (authorities.size() != 1) {
            Refusal.malformed("the request names two hosts").answer(request, response, callback);
            return;
        }
        switch (PreviewHost.parse(authorities.getFirst(), domain.orElseThrow())) {
            case PreviewHost.Malformed(String why) -> Refusal.malformed(why).answer(request, response, callback);
            case PreviewHost.Elsewhere _, PreviewHost.Other _ -> Refusal.malformed("the request names two hosts").answer(request, response, callback);
            case PreviewHost.Port at when PreviewHost.isReserved(at) ->
                    new Refusal(404, "this port is not forwarded", "Port " + at.port() + " belongs to Caisson.", at.sandbox().value(), at.port()).answer(request, response, callback);
            case PreviewHost.Port at when isMisdirected(request, at) ->
                    new Refusal(421, "this connection was made for another host", "Connect again, with the server name of this host.", "", 0).answer(request, response, callback);
            case PreviewHost.Port at -> judged(request, response, callback, at);
        }
    }

    /// Over TLS the server name must be the host's: a browser that finds one certificate good for two sandboxes would send both down one connection.
    private static boolean isMisdirected(Request request, PreviewHost.Port at) {
        var data = request.getConnectionMetaData().getConnection().getEndPoint().getSslSessionData();
        if (data == null || !(data.sslSession() instanceof ExtendedSSLSession session)) {
            return request.isSecure();
        }
        return session.getRequestedServerNames().stream().noneMatch(name -> name instanceof SNIHostName host && host.getAsciiName().equalsIgnoreCase(at.name()));
    }

    private void judged(Request request, Response response, Callback callback, PreviewHost.Port at) {
        try {
            switch (admission.judge(request, at)) {
                case Admission.Verdict.Admitted(String pathQuery) -> forwarder.carry(request, response, callback, at.sandbox(), at.port(), pathQuery, authorities(request).getFirst());
                case Admission.Verdict.Refused(String why) -> Forwarder.refused(at.sandbox(), at.port(), why).answer(request, response, callback);
                case Admission.Verdict.Exchange exchange -> exchange(request, response, callback, at, exchange);
            }
        } catch (SandboxException e) {
            Forwarder.unreachable(e, at.sandbox(), at.port()).answer(request, response, callback);
        }
    }

    /// The whole address, so that a path that begins with two slashes leads nowhere else.
    private static void exchange(Request request, Response response, Callback callback, PreviewHost.Port at, Admission.Verdict.Exchange exchange) {
        boolean secure = request.isSecure();
        var headers = response.getHeaders();
        response.setStatus(303);
        headers.put(HttpHeader.LOCATION, (secure ? "https://" : "http://") + at.authority() + exchange.pathQuery());
        headers.put(HttpHeader.SET_COOKIE, (secure ? Admission.SECURE_LINK_COOKIE : Admission.LINK_COOKIE) + "=" + exchange.signature()
                + "; Path=/; Max-Age=" + Math.max(1, exchange.left().toSeconds()) + "; HttpOnly; SameSite=Lax" + (secure ? "; Secure" : ""));
        headers.put(HttpHeader.CACHE_CONTROL, "no-store");
        headers.put("Referrer-Policy", "no-referrer");
        headers.put(HttpHeader.CONTENT_LENGTH, 0);
        callback.succeeded();
    }

    @Override
    public void close() {
        forwarder.close();
    }
}
