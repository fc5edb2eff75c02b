package dev.caisson.api.rest;

import dev.caisson.api.ListenSettings;
import dev.caisson.sandbox.Failure;
import java.nio.ByteBuffer;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/// What the HTTP server itself refuses (bad syntax, too large headers), told as problem documents too.
final class ProblemErrors extends ErrorHandler {
    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        Object message = request.getAttribute(ERROR_MESSAGE);
        Object status = request.getAttribute(ERROR_STATUS);
        byte[] document = problem(status instanceof Integer code ? code : response.getStatus(), String.valueOf(message)).bytes();
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, Problem.MEDIA_TYPE);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, document.length);
        response.write(true, ByteBuffer.wrap(document), callback);
        return true;
    }

    private static Problem problem(int status, String reason) {
        return switch (status) {
            case 408 -> Problem.http(status, "request-timeout", "the request did not arrive in time", "send it again");
            case 413 -> Problem.http(status, "too-large", "the request is too large", "send large data as a file or through stdin");
            case 414, 431 -> Problem.http(status, "too-large", "the address or the headers are larger than " + ListenSettings.MAX_HEADER_BYTES + " bytes", "send less in them");
            default -> status >= 500
                    ? Problem.http(status, "internal", "something went wrong in Caisson itself", "look into the front's log and report it")
                    : Problem.http(status, "bad-request", "not a request that is understood: " + Failure.shown(reason), "speak HTTP/1.1 or HTTP/2 with a plain address");
        };
    }
}
