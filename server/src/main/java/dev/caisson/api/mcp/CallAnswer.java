package dev.caisson.api.mcp;

import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.TypeRef;
import io.modelcontextprotocol.spec.McpSchema;
import io.modelcontextprotocol.spec.McpStreamableServerTransport;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import reactor.core.publisher.Mono;

/// The answer to one request: a JSON document when it is all there is to say and comes soon, an event stream otherwise.
///
/// A stream that is quiet gets a comment every ten seconds, so that nobody between us and the client takes it for dead. A client that has gone away does not
/// end its request, as the protocol wants it; what it would have been told is dropped. A cancelled request gets no answer.
/// Threads: the request's own, one that tells progress, and the heartbeat's.
final class CallAnswer implements McpStreamableServerTransport {
    /// Clients give up on an answer whose head does not come; theirs is half a minute.
    private static final long STREAM_AFTER_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long HEARTBEAT_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final byte[] COMMENT = ":\n\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] EVENT = "event: message\ndata: ".getBytes(StandardCharsets.US_ASCII);

    private final HttpCall call;
    private final McpJsonMapper mapper;
    private final RunningCall running;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition ended = lock.newCondition();
    private final long begin = System.nanoTime();
    private long lastWrite = begin;
    private boolean streaming;
    private boolean done;
    private boolean lost;

    CallAnswer(HttpCall call, McpJsonMapper mapper, RunningCall running) {
        this.call = call;
        this.mapper = mapper;
        this.running = running;
        Thread.ofVirtual().name("mcp-heartbeat").start(this::beat);
    }

    @Override
    public Mono<Void> sendMessage(McpSchema.JSONRPCMessage message) {
        return Mono.fromRunnable(() -> send(message));
    }

    @Override
    public Mono<Void> sendMessage(McpSchema.JSONRPCMessage message, String messageId) {
        return sendMessage(message);
    }

    @Override
    public <T> T unmarshalFrom(Object data, TypeRef<T> type) {
        return mapper.convertValue(data, type);
    }

    @Override
    public void close() {
        // As below.
    }

    /// The SDK has nothing more to say; what went wrong on its way is said after that, so the end is not its to make.
    @Override
    public Mono<Void> closeGracefully() {
        return Mono.empty();
    }

    private void send(McpSchema.JSONRPCMessage message) {
        write(presentable(message));
    }

    /// Answers that the request failed.
    void fail(Object id, int code, String message) {
        write(McpSchema.JSONRPCResponse.error(id, new McpSchema.JSONRPCResponse.JSONRPCError(code, message, null)));
    }

    private void write(McpSchema.JSONRPCMessage message) {
        lock.lock();
        try {
            if (done || running.isCancelled()) {
                return;
            }
            byte[] document = mapper.writeValueAsBytes(message);
            if (message instanceof McpSchema.JSONRPCResponse && !streaming) {
                done = true;
                call.json(document);
                return;
            }
            var event = ByteBuffer.allocate(EVENT.length + document.length + 2).put(EVENT).put(document).put((byte) '\n').put((byte) '\n').flip();
            stream(event);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            lock.unlock();
        }
    }

    /// What the SDK says of a fault of its own has the texts of exceptions in it.
    private static McpSchema.JSONRPCMessage presentable(McpSchema.JSONRPCMessage message) {
        if (message instanceof McpSchema.JSONRPCResponse response && response.error() != null && response.error().code() == JsonRpc.INTERNAL_ERROR) {
            return McpSchema.JSONRPCResponse.error(response.id(), new McpSchema.JSONRPCResponse.JSONRPCError(JsonRpc.INTERNAL_ERROR, "the request could not be understood or answered", null));
        }
        return message;
    }

    private void stream(ByteBuffer bytes) {
        if (!streaming) {
            streaming = true;
            call.response().setStatus(200);
            call.responseHeader(HttpHeader.CONTENT_TYPE, HttpCall.EVENTS);
            call.responseHeader(HttpHeader.CACHE_CONTROL, "no-store");
            call.response().getHeaders().put("X-Accel-Buffering", "no");
        }
        if (lost) {
            return;
        }
        try {
            Content.Sink.write(call.response(), false, bytes);
            lastWrite = System.nanoTime();
        } catch (IOException _) {
            lost = true;
        }
    }

    private void beat() {
        lock.lock();
        try {
            while (!done && !lost) {
                long wait = streaming ? lastWrite + HEARTBEAT_NANOS - System.nanoTime() : begin + STREAM_AFTER_NANOS - System.nanoTime();
                if (wait > 0) {
                    ended.awaitNanos(wait);
                } else {
                    stream(ByteBuffer.wrap(COMMENT));
                }
            }
        } catch (InterruptedException _) {
            // Nobody but the end of the process interrupts a heart.
        } finally {
            lock.unlock();
        }
    }

    /// Ends the answer, whatever of it was sent. Harmless the second time.
    void end() {
        lock.lock();
        try {
            if (!done) {
                done = true;
                if (!streaming) {
                    call.response().setStatus(200);
                    call.responseHeader(HttpHeader.CONTENT_TYPE, HttpCall.EVENTS);
                }
                call.callback().succeeded();
            }
            ended.signal();
        } finally {
            lock.unlock();
        }
    }
}
