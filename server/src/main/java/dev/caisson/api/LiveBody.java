package dev.caisson.api;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.io.ByteBufferPool;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.RetainableByteBuffer;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;

/// An answer's body that is written piece by piece for as long as something happens, with a heartbeat when nothing does.
///
/// The heart begins to beat with the first write that is not the last.
/// Writing waits for the client, so that a slow reader costs one piece of memory and no more. When a heartbeat cannot be sent the client is gone, and what the
/// writer waits for is ended. It is not interrupted: an interrupt in the middle of a write closes the link that all clients share.
/// Threads: one writes; the heartbeat has a thread of its own. Cleanup: close stops the heartbeat.
public final class LiveBody implements AutoCloseable {
    /// Most payload bytes of one write.
    public static final int PIECE = 128 * 1024;

    private final Response response;
    private final ByteBufferPool pool;
    private final byte[] heartbeat;
    private final long intervalNanos;
    private final EndPoint connection;
    private final long idleMillis;
    private final boolean ownsConnection;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition ended = lock.newCondition();
    private final Thread heart;
    private long lastWriteNanos = System.nanoTime();
    private byte[] held = new byte[0];
    private boolean beating;
    private boolean closed;
    private boolean lost;
    private Runnable wake = () -> {};

    private LiveBody(Request request, Response response, byte[] heartbeat, Duration interval) {
        this.response = response;
        this.pool = request.getComponents().getByteBufferPool();
        this.heartbeat = heartbeat;
        this.intervalNanos = interval.toNanos();
        var meta = request.getConnectionMetaData();
        this.connection = meta.getConnection().getEndPoint();
        this.idleMillis = connection.getIdleTimeout();
        // A reader may rest for as long as it likes; a dead one is found by its kernel's reset. In HTTP/2 the connection is shared, and not ours to change.
        this.ownsConnection = meta.getHttpVersion().getVersion() <= HttpVersion.HTTP_1_1.getVersion();
        this.heart = Thread.ofVirtual().name("heartbeat").unstarted(this::beat);
    }

    /// Begins the answer; nothing is sent before the first write.
    public static LiveBody start(Request request, Response response, String mediaType, byte[] heartbeat, Duration interval) {
        response.setStatus(200);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, mediaType);
        return new LiveBody(request, response, heartbeat, interval);
    }

    /// What ends the writer's wait when the client has gone away. Called at most once, and not after [#close].
    public void whenLost(Runnable end) {
        lock.lock();
        try {
            wake = end;
            if (lost) {
                end.run();
            }
        } finally {
            lock.unlock();
        }
    }

    /// Sends `head` and `data`, which may be empty, in one piece; waits until the connection has taken it.
    public void write(byte[] head, ByteBuffer data) throws IOException {
        lock.lock();
        try {
            send(false, head, data);
            if (!beating) {
                beating = true;
                if (ownsConnection) {
                    connection.setIdleTimeout(0);
                }
                heart.start();
            }
        } finally {
            lock.unlock();
        }
    }

    /// Sends a few bytes together with what is written next, which comes soon: the client then wakes once for both.
    public void hold(byte[] bytes) throws IOException {
        lock.lock();
        try {
            if (held.length > 0) {
                send(false, new byte[0], ByteBuffer.allocate(0));
            }
            held = bytes;
        } finally {
            lock.unlock();
        }
    }

    /// Sends the last bytes, and that they are the last.
    public void finish(byte[] bytes) throws IOException {
        lock.lock();
        try {
            send(true, bytes, ByteBuffer.allocate(0));
        } finally {
            lock.unlock();
        }
    }

    private void send(boolean last, byte[] head, ByteBuffer data) throws IOException {
        RetainableByteBuffer piece = pool.acquire(held.length + head.length + data.remaining(), true);
        try {
            ByteBuffer bytes = piece.getByteBuffer();
            bytes.clear();
            bytes.put(held).put(head).put(data).flip();
            held = new byte[0];
            Content.Sink.write(response, last, bytes);
        } finally {
            piece.release();
        }
        lastWriteNanos = System.nanoTime();
    }

    public void write(byte[] bytes) throws IOException {
        write(bytes, ByteBuffer.allocate(0));
    }

    /// True when the client is known to have gone away.
    public boolean lost() {
        lock.lock();
        try {
            return lost;
        } finally {
            lock.unlock();
        }
    }

    private void beat() {
        lock.lock();
        try {
            while (!closed) {
                long quiet = System.nanoTime() - lastWriteNanos;
                if (quiet < intervalNanos) {
                    ended.awaitNanos(intervalNanos - quiet);
                } else {
                    write(heartbeat);
                }
            }
        } catch (IOException _) {
            lost = true;
            wake.run();
        } catch (InterruptedException _) {
            // Nobody but the end of the process interrupts a heart.
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            ended.signal();
            if (ownsConnection && beating) {
                connection.setIdleTimeout(idleMillis);
            }
        } finally {
            lock.unlock();
        }
    }
}
