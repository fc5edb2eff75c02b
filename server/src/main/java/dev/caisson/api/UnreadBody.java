package dev.caisson.api;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/// Answers a request whose body may not have been read to its end.
///
/// Many clients read nothing before all is sent, and one that is cut off before never learns why; and a connection that is closed under a body on its way is
/// reset, which may cost the client the answer, or its next request.
public final class UnreadBody {
    private static final long MAX_DRAINED_BYTES = 256L << 20;
    private static final Duration MAX_DRAIN = Duration.ofSeconds(5);

    private UnreadBody() {}

    /// Writes the whole answer, then takes what the client is still sending, within bounds.
    public static void answer(Request request, Response response, Callback callback, byte[] document) {
        try {
            Content.Sink.write(response, true, ByteBuffer.wrap(document));
            drain(request);
            callback.succeeded();
        } catch (IOException e) {
            callback.failed(e);
        }
    }

    private static void drain(Request request) {
        if (request.getHeaders().contains(HttpHeader.EXPECT)) {
            return;
        }
        byte[] piece = new byte[64 * 1024];
        long left = MAX_DRAINED_BYTES;
        long until = System.nanoTime() + MAX_DRAIN.toNanos();
        try {
            // Not closed: that would fail the connection, which still has an answer to carry.
            InputStream in = Content.Source.asInputStream(request);
            for (int count = in.read(piece); count >= 0 && left > 0 && System.nanoTime() < until; count = in.read(piece)) {
                left -= count;
            }
        } catch (IOException _) {
            // It has gone, or rests for longer than a connection may: the answer is on its way to it either way.
        }
    }
}
