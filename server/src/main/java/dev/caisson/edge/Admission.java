package dev.caisson.edge;

import dev.caisson.policy.PortLinks;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.sandbox.SandboxId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Request;

/// Who may reach a port: whoever shows the sandbox's traffic token, holds a signed link to this very port, or anybody where the creator said so.
///
/// Judged before anything touches the sandbox. The first two need nothing but the installation's secret; the last asks the node what the sandbox was made
/// with, once for each.
/// Threads: safe for many.
final class Admission {
    /// Headers that carry the traffic token.
    static final List<String> TOKEN_HEADERS = List.of("E2B-Traffic-Access-Token", "Caisson-Token");
    /// Carries the token with which E2B's clients do all in a sandbox; they speak to the code interpreter with it.
    static final String CONTROL_HEADER = "X-Access-Token";
    /// The query parameter of a signed link.
    static final String LINK_PARAMETER = "caisson-link";
    /// The cookie it is exchanged for. With TLS the prefix makes browsers refuse one that another host or a plain page has set.
    static final String LINK_COOKIE = "caisson-link";
    static final String SECURE_LINK_COOKIE = "__Host-" + LINK_COOKIE;

    private final SandboxTokens tokens;
    private final PortLinks links;
    private final KnownSandboxes known;

    Admission(SandboxTokens tokens, PortLinks links, KnownSandboxes known) {
        this.tokens = tokens;
        this.links = links;
        this.known = known;
    }

    /// What is decided about a request.
    sealed interface Verdict {
        /// @param pathQuery what the sandbox gets to see, without the link
        record Admitted(String pathQuery) implements Verdict {}

        /// It came by a link: a cookie in place of it, and the same address without it.
        record Exchange(String pathQuery, String signature, Duration left) implements Verdict {}

        record Refused(String why) implements Verdict {}
    }

    /// A request that came by the port's own name.
    ///
    /// Errors: of [Sandboxes#get], when only the sandbox itself could tell.
    Verdict judge(Request request, PreviewHost.Port at) {
        var query = LinkQuery.of(request.getHttpURI().getPathQuery());
        if (hasToken(request, at.sandbox())) {
            return new Verdict.Admitted(query.rest());
        }
        for (String signature : query.signatures()) {
            Duration left = links.left(signature, at.sandbox(), at.port());
            if (left.isPositive()) {
                boolean visit = HttpMethod.GET.is(request.getMethod()) && !request.getHeaders().contains(HttpHeader.UPGRADE);
                return visit ? new Verdict.Exchange(query.rest(), signature, left) : new Verdict.Admitted(query.rest());
            }
        }
        boolean cookie = cookies(request).stream().anyMatch(signature -> links.left(signature, at.sandbox(), at.port()).isPositive());
        if (cookie && isFromItself(request, at)) {
            return new Verdict.Admitted(query.rest());
        }
        if (isOpen(at.sandbox())) {
            return new Verdict.Admitted(query.rest());
        }
        if (cookie) {
            return new Verdict.Refused("another site may not use your access to this port");
        }
        return new Verdict.Refused(query.signatures().isEmpty() ? "this port is private" : "this link is forged, over, or of another port");
    }

    /// A request that said its sandbox in headers: token, the token of the sandbox's whole control, or public.
    boolean admits(Request request, SandboxId sandbox) {
        return hasToken(request, sandbox) || hasControl(request, sandbox) || isOpen(sandbox);
    }

    private boolean hasControl(Request request, SandboxId sandbox) {
        return request.getHeaders().getValuesList(CONTROL_HEADER).stream().anyMatch(given -> tokens.matches(given, sandbox, SandboxTokens.Purpose.CONTROL));
    }

    private boolean hasToken(Request request, SandboxId sandbox) {
        return TOKEN_HEADERS.stream().flatMap(name -> request.getHeaders().getValuesList(name).stream()).anyMatch(given -> tokens.matches(given, sandbox, SandboxTokens.Purpose.TRAFFIC));
    }

    private boolean isOpen(SandboxId sandbox) {
        return known.of(sandbox).open();
    }

    private static List<String> cookies(Request request) {
        String wanted = request.isSecure() ? SECURE_LINK_COOKIE : LINK_COOKIE;
        var values = new ArrayList<String>();
        for (String header : request.getHeaders().getValuesList(HttpHeader.COOKIE)) {
            for (String pair : header.split(";", -1)) {
                if (pair.strip().startsWith(wanted + "=")) {
                    values.add(pair.strip().substring(wanted.length() + 1));
                }
            }
        }
        return values;
    }

    /// A cookie goes along with whatever a browser sends here. Another sandbox's page is "same site" to it, so SameSite does not keep that one's scripts and
    /// forms from using it; what browsers say of the request's origin does.
    private static boolean isFromItself(Request request, PreviewHost.Port at) {
        String own = (request.isSecure() ? "https://" : "http://") + at.authority();
        for (String origin : request.getHeaders().getValuesList(HttpHeader.ORIGIN)) {
            if (!origin.equalsIgnoreCase(own)) {
                return false;
            }
        }
        String site = request.getHeaders().get("Sec-Fetch-Site");
        boolean visit = "navigate".equals(request.getHeaders().get("Sec-Fetch-Mode")) && HttpMethod.GET.is(request.getMethod()) && "document".equals(request.getHeaders().get("Sec-Fetch-Dest"));
        return site == null || site.equals("same-origin") || site.equals("none") || visit;
    }
}
