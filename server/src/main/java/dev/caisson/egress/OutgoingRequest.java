package dev.caisson.egress;

import java.util.Locale;
import java.util.Set;

/// A request as it is sent on: read once, judged, and written anew from what was understood.
///
/// @param framing of its content as it goes out
/// @param upgrade it asks for a WebSocket
record OutgoingRequest(String method, String head, Framing framing, boolean upgrade) {
    private static final Set<String> IDEMPOTENT = Set.of("GET", "HEAD", "OPTIONS", "PUT", "DELETE");

    static OutgoingRequest of(RequestHead read, HttpTarget target, Destination to, Framing framing, RequestSecrets secrets) throws BadHttp {
        boolean upgrade = isUpgrade(read, framing);
        var head = new StringBuilder(512).append(read.method()).append(' ').append(secrets.outward(target)).append(" HTTP/1.1\r\nHost: ").append(to.authority()).append("\r\n");
        for (HeadFields.Field field : read.fields().outward()) {
            if (!secrets.hides() || !field.is("accept-encoding")) {
                append(head, secrets.outward(field));
            }
        }
        if (secrets.hides()) {
            head.append("Accept-Encoding: identity\r\n");
        }
        if (upgrade) {
            head.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
        }
        return new OutgoingRequest(read.method(), head.append(framed(framing)).append("\r\n").toString(), framing, upgrade);
    }

    static void append(StringBuilder head, HeadFields.Field field) {
        head.append(field.name()).append(": ").append(field.value()).append("\r\n");
    }

    /// The header that says where the content ends.
    static String framed(Framing framing) {
        return switch (framing) {
            case Framing.None _, Framing.UntilClose _ -> "";
            case Framing.Fixed fixed -> "Content-Length: " + fixed.length() + "\r\n";
            case Framing.Chunked _ -> "Transfer-Encoding: chunked\r\n";
        };
    }

    /// Other upgrades are not asked for; the request is then an ordinary one.
    private static boolean isUpgrade(RequestHead read, Framing framing) {
        return read.method().equals("GET") && read.minor() == 1 && framing instanceof Framing.None && read.fields().tokens("connection").contains("upgrade")
                && read.fields().values("upgrade").size() == 1 && read.fields().first("upgrade").orElse("").toLowerCase(Locale.ROOT).equals("websocket");
    }

    /// It may be sent a second time when nobody answered the first.
    boolean isRepeatable() {
        return framing instanceof Framing.None && IDEMPOTENT.contains(method);
    }
}
