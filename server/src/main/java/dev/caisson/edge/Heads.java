package dev.caisson.edge;

import dev.caisson.policy.KeyText;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;

/// Which headers cross the wall, each way.
final class Heads {
    /// Of one connection only (RFC 9110, 7.6.1), or ours to write again.
    private static final Set<String> OF_CONNECTION = Set.of(
            "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
            "http2-settings", "content-length");
    /// What a client says of where it comes from is not believed; what opens doors of ours stays outside.
    private static final Set<String> NOT_INWARD = Set.of(
            "expect", "host", "forwarded", "x-real-ip", "x-original-host", "e2b-sandbox-id", "e2b-sandbox-port", "e2b-traffic-access-token", "caisson-token", "x-access-token");
    /// What would speak for more than the one host name that the sandbox has.
    private static final Set<String> NOT_OUTWARD = Set.of("alt-svc", "clear-site-data", "public-key-pins");

    private Heads() {}

    /// The headers of a request as the sandbox gets them.
    ///
    /// @param authority Host, as the client wrote it
    static HttpFields.Mutable inward(Request request, String authority) {
        HttpFields from = request.getHeaders();
        Set<String> named = named(from);
        var to = HttpFields.build();
        to.put(HttpHeader.HOST, authority);
        for (HttpField field : from) {
            // Servers that follow CGI read both spellings as one name.
            String name = field.getLowerCaseName().replace('_', '-');
            if (name.startsWith(":") || OF_CONNECTION.contains(name) || NOT_INWARD.contains(name) || name.startsWith("x-forwarded-") || named.contains(name) || isKey(field)) {
                continue;
            }
            if (field.getHeader() == HttpHeader.COOKIE) {
                String rest = withoutLink(field.getValue());
                if (!rest.isEmpty()) {
                    to.add(HttpHeader.COOKIE, rest);
                }
            } else {
                to.add(field);
            }
        }
        to.put("X-Forwarded-For", Request.getRemoteAddr(request));
        to.put("X-Forwarded-Host", authority);
        to.put("X-Forwarded-Proto", request.isSecure() ? "https" : "http");
        return to;
    }

    /// The headers of an answer as the client gets them.
    static void outward(HttpFields from, HttpFields.Mutable to) {
        Set<String> named = named(from);
        for (HttpField field : from) {
            String name = field.getLowerCaseName();
            if (OF_CONNECTION.contains(name) || NOT_OUTWARD.contains(name) || named.contains(name)) {
                continue;
            }
            if (field.getHeader() == HttpHeader.SET_COOKIE) {
                hostOnly(field.getValue()).ifPresent(cookie -> to.add(HttpHeader.SET_COOKIE, cookie));
            } else {
                to.add(field);
            }
        }
    }

    private static Set<String> named(HttpFields from) {
        var named = new HashSet<String>();
        from.getCSV(HttpHeader.CONNECTION, false).forEach(name -> named.add(name.toLowerCase(Locale.ROOT)));
        return named;
    }

    /// A key of this installation, wherever it is: whoever sends one here has mixed up two addresses, and the code in the sandbox must not learn it.
    private static boolean isKey(HttpField field) {
        String value = field.getValue();
        return value != null && List.of(value.strip().split("\\s+")).stream().anyMatch(word -> new KeyText(word).isWellFormed());
    }

    private static String withoutLink(String cookies) {
        return List.of(cookies.split(";", -1)).stream().map(String::strip).filter(pair -> !pair.isEmpty() && !isLink(pair)).collect(Collectors.joining("; "));
    }

    private static boolean isLink(String pair) {
        String name = pair.substring(0, Math.max(pair.indexOf('='), 0)).strip();
        return name.equals(Admission.LINK_COOKIE) || name.equals(Admission.SECURE_LINK_COOKIE);
    }

    /// A cookie that the sandbox sets, for its own host name alone; empty where it would be one of ours.
    static java.util.Optional<String> hostOnly(String cookie) {
        String[] parts = cookie.split(";", -1);
        if (isLink(parts[0])) {
            return java.util.Optional.empty();
        }
        var kept = new StringBuilder(parts[0]);
        for (int i = 1; i < parts.length; i++) {
            if (!parts[i].strip().toLowerCase(Locale.ROOT).startsWith("domain")) {
                kept.append(';').append(parts[i]);
            }
        }
        return java.util.Optional.of(kept.toString());
    }
}
