package dev.caisson.api.rest;

import dev.caisson.json.Json;
import dev.caisson.sandbox.Failure;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;

/// A failure as RFC 9457 wants it told.
///
/// @param code stable word to match on: that of a [Failure.Code], or one of HTTP's own below
/// @param sandbox id of the sandbox concerned, if any
record Problem(int status, String code, String title, String detail, String remedy, @Nullable String sandbox) {
    static final String MEDIA_TYPE = "application/problem+json";

    /// The one table of statuses.
    static int status(Failure.Code code) {
        if (code == Failure.Code.TOO_MANY) {
            return 429;
        }
        return switch (code.category()) {
            case CALLER -> 400;
            case UNAUTHENTICATED -> 401;
            case DENIED -> 403;
            case NOT_FOUND -> 404;
            case CONFLICT -> 409;
            case CAPACITY -> 507;
            case GUEST -> 502;
            case UNSUPPORTED -> 501;
            case UNAVAILABLE -> 503;
            case BUG -> 500;
        };
    }

    private static String title(Failure.Code code) {
        if (code == Failure.Code.TOO_MANY) {
            return "Too many";
        }
        return switch (code.category()) {
            case CALLER -> "The request cannot be carried out as it is";
            case UNAUTHENTICATED -> "No valid key";
            case DENIED -> "Denied";
            case NOT_FOUND -> "Not there";
            case CONFLICT -> "It does not fit how things are now";
            case CAPACITY -> "Out of room";
            case GUEST -> "The sandbox failed";
            case UNSUPPORTED -> "Not supported here";
            case UNAVAILABLE -> "Not available now";
            case BUG -> "Our fault";
        };
    }

    static Problem of(Failure failure, @Nullable String sandbox) {
        Failure.Code code = failure.code();
        return new Problem(status(code), code.label(), title(code), failure.message(), failure.remedy(), sandbox);
    }

    static Problem noSuchRoute(String method, String path) {
        return http(404, "no-such-route", "there is no " + Failure.shown(method) + " " + Failure.shown(path), "see /v1/openapi.yaml for what there is");
    }

    static Problem methodNotAllowed(String method, String path, List<String> allowed) {
        return http(405, "method-not-allowed", Failure.shown(path) + " cannot be asked with " + Failure.shown(method), "use " + String.join(" or ", allowed));
    }

    static Problem http(int status, String code, String detail, String remedy) {
        String title = switch (status) {
            case 404 -> "No such address";
            case 405 -> "No such method here";
            case 406 -> "Cannot answer in that form";
            case 408 -> "The request did not arrive";
            case 413 -> "Too large";
            case 414 -> "The address is too long";
            case 415 -> "Not a form that is understood";
            case 431 -> "The headers are too large";
            default -> status >= 500 ? "Our fault" : "Not a request that is understood";
        };
        return new Problem(status, code, title, detail, remedy, null);
    }

    void writeKeys(JsonGenerator out) {
        out.writeStringProperty("type", "urn:caisson:problem:" + code);
        out.writeStringProperty("title", title);
        out.writeNumberProperty("status", status);
        out.writeStringProperty("detail", detail);
        out.writeStringProperty("code", code);
        out.writeStringProperty("remedy", remedy);
        if (sandbox != null) {
            out.writeStringProperty("sandbox", sandbox);
        }
    }

    byte[] bytes() {
        return Json.object(this::writeKeys);
    }

    /// The last event of a stream that failed.
    byte[] event() {
        return Json.object(out -> {
            out.writeStringProperty("event", "problem");
            out.writeObjectPropertyStart("problem");
            writeKeys(out);
            out.writeEndObject();
        });
    }
}
