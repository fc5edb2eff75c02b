package dev.caisson.egress;

import dev.caisson.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/// What the gateway itself answers a request; the connection ends with it. The sandbox may know what it was refused, and by which rule.
///
/// @param rule that decided; empty when none did
record Reply(int status, String error, String rule, String reason) {
    static Reply denied(RelayOwner.Denied denied) {
        return new Reply(403, "denied", denied.rule(), denied.reason());
    }

    static Reply bad(BadHttp bad) {
        return new Reply(bad.status(), "refused", "", "the request is not let through: " + bad.getMessage());
    }

    static Reply unanswered(Destination to, IOException why) {
        String message = why.getMessage();
        return new Reply(502, "upstream-failed", "", to.authority() + ": " + (message == null ? why.getClass().getSimpleName() : message));
    }

    void write(HttpOutput out, boolean withContent) throws IOException {
        byte[] content = Json.object(json -> {
            json.writeStringProperty("error", error);
            if (!rule.isEmpty()) {
                json.writeStringProperty("rule", rule);
            }
            json.writeStringProperty("reason", reason);
        });
        String text = new String(content, StandardCharsets.ISO_8859_1) + "\n";
        out.write("HTTP/1.1 " + status + " " + phrase() + "\r\nContent-Type: application/json\r\nContent-Length: " + text.length() + "\r\nCaisson-Egress: " + error + "\r\nConnection: close\r\n\r\n");
        if (withContent) {
            out.write(text);
        }
        out.flush();
    }

    private String phrase() {
        return switch (status) {
            case 400 -> "Bad Request";
            case 403 -> "Forbidden";
            case 405 -> "Method Not Allowed";
            case 414 -> "URI Too Long";
            case 415 -> "Unsupported Media Type";
            case 417 -> "Expectation Failed";
            case 421 -> "Misdirected Request";
            case 431 -> "Request Header Fields Too Large";
            case 501 -> "Not Implemented";
            case 502 -> "Bad Gateway";
            case 505 -> "HTTP Version Not Supported";
            default -> "Refused";
        };
    }
}
