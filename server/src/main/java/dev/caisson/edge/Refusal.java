package dev.caisson.edge;

import dev.caisson.json.Json;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/// Why a request did not get to a server in a sandbox: JSON in the words that clients of E2B tell cases apart by, and a page for a person.
///
/// @param status of the answer, and `code` in the JSON
/// @param message for programs: they look for `was not found` and `port is not open`
/// @param advice for a person
/// @param sandbox empty when the request named none
/// @param port 0 when that is not the point
record Refusal(int status, String message, String advice, String sandbox, int port) {
    static Refusal malformed(String why) {
        return new Refusal(400, why, "Check the address.", "", 0);
    }

    void answer(Request request, Response response, Callback callback) {
        boolean person = request.getHeaders().getValuesList(HttpHeader.ACCEPT).stream().anyMatch(accept -> accept.contains("text/html"));
        byte[] body = person ? page() : json();
        response.setStatus(status);
        var headers = response.getHeaders();
        headers.put(HttpHeader.CONTENT_TYPE, person ? "text/html;charset=utf-8" : "application/json");
        headers.put(HttpHeader.CONTENT_LENGTH, body.length);
        headers.put(HttpHeader.CACHE_CONTROL, "no-store");
        headers.put("X-Content-Type-Options", "nosniff");
        if (person) {
            headers.put("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
            headers.put("Referrer-Policy", "no-referrer");
        }
        response.write(true, HttpMethod.HEAD.is(request.getMethod()) ? ByteBuffer.allocate(0) : ByteBuffer.wrap(body), callback);
    }

    private byte[] json() {
        return Json.object(out -> {
            if (!sandbox.isEmpty()) {
                out.writeStringProperty("sandboxId", sandbox);
            }
            out.writeStringProperty("message", message);
            out.writeNumberProperty("code", status);
            if (port > 0) {
                out.writeNumberProperty("port", port);
            }
        });
    }

    /// Nothing in it comes from a stranger but a sandbox's id and a port, whose shapes are checked.
    private byte[] page() {
        return """
                <!doctype html>
                <html lang="en">
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <title>%1$d: %2$s</title>
                <style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}
                h1{font-size:1.4rem}code{background:#eee;padding:.1em .3em}p.small{color:#666;font-size:.85rem}
                @media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}code{background:#333}p.small{color:#999}}</style>
                <h1>%2$s</h1>
                <p>%3$s</p>
                %4$s
                </html>
                """.formatted(status, message, advice, sandbox.isEmpty() ? "" : "<p class=\"small\">Sandbox <code>" + sandbox + "</code>" + (port > 0 ? ", port <code>" + port + "</code>" : "") + "</p>")
                .getBytes(StandardCharsets.UTF_8);
    }
}
