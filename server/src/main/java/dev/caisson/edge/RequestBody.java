package dev.caisson.edge;

import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.http.MetaData;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;

/// A request's content on its way into a sandbox: each piece as it comes, none kept.
final class RequestBody {
    private static final int PIECE = 32 * 1024;

    private final Request request;
    /// Bytes that it said it has; -1 when it did not say.
    private final long length;
    private long count;
    private volatile boolean over;
    private volatile boolean cut;

    private RequestBody(Request request) {
        this.request = request;
        this.length = request.getLength();
    }

    /// Empty when the request has none.
    static Optional<RequestBody> of(Request request) {
        boolean says = request.getLength() > 0 || request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
        boolean mayCome = request.getLength() < 0 && request.getConnectionMetaData().getHttpVersion().getVersion() >= HttpVersion.HTTP_2.getVersion() && !isAtEnd(request);
        return says || mayCome ? Optional.of(new RequestBody(request)) : Optional.empty();
    }

    /// In HTTP/2 whether something follows is known with the head, and nowhere said in it.
    private static boolean isAtEnd(Request request) {
        Content.Chunk first = request.read();
        if (first == null) {
            return false;
        }
        if (first.isLast() && !first.hasRemaining()) {
            return true;
        }
        pushBack(request, first);
        return false;
    }

    private static void pushBack(Request request, Content.Chunk chunk) {
        request.setAttribute(RequestBody.class.getName(), chunk);
    }

    /// True when nothing more is awaited from the client.
    boolean isOver() {
        return over;
    }

    /// True when it was given up because it came too slowly, or broke off.
    boolean isCut() {
        return cut;
    }

    /// Sends it all, chunked where its length is not known.
    void pump(GuestConnection guest, MetaData.Request head, Duration grace, Exchange exchange) {
        long begin = System.nanoTime();
        byte[] piece = new byte[PIECE];
        try {
            if (request.removeAttribute(RequestBody.class.getName()) instanceof Content.Chunk first) {
                arrived(first.remaining(), first.isLast());
                guest.send(head, first.getByteBuffer(), first.isLast());
                first.release();
                if (first.isLast()) {
                    over = true;
                    return;
                }
            } else {
                guest.send(head, ByteBuffer.allocate(0), false);
            }
            try (InputStream in = Content.Source.asInputStream(request)) {
                for (int read = in.read(piece); read >= 0; read = in.read(piece)) {
                    arrived(read, false);
                    exchange.moved();
                    long nanos = System.nanoTime() - begin;
                    if (nanos > grace.toNanos() && count < nanos / 1e9 * EdgeLimits.MIN_BODY_RATE) {
                        throw new IOException("too slow");
                    }
                    guest.send(head, ByteBuffer.wrap(piece, 0, read), false);
                }
            }
            arrived(0, true);
            over = true;
            guest.send(head, ByteBuffer.allocate(0), true);
        } catch (IOException e) {
            cut = true;
            guest.close();
        } catch (SandboxException e) {
            // The server took no more of it; what it answers is what counts.
            over = true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            guest.close();
        }
    }

    /// HTTP/2 lets a client end a body before or after the length that it gave. Inside, where only the length counts, the rest would be taken from the next
    /// request, or be one.
    private void arrived(int bytes, boolean last) throws IOException {
        count += bytes;
        if (length >= 0 && (count > length || last && count < length)) {
            throw new IOException("not as long as it said");
        }
    }
}
