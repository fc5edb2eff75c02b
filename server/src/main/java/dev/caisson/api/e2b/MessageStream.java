package dev.caisson.api.e2b;

import dev.caisson.api.LiveBody;
import dev.caisson.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// The answer of a streaming call: messages, and a last one that says how it ended. Always status 200, also when it fails before the first message.
///
/// Threads: one writes; keepalives are sent by a thread of their own. Cleanup: close stops them.
final class MessageStream implements AutoCloseable {
    static final String MEDIA_TYPE = "application/connect+json";
    private final Session session;
    private final byte[] keepalive;
    private @Nullable LiveBody body;
    private Runnable wake = () -> {};

    /// @param keepalive the message that says nothing, as JSON
    MessageStream(Session session, String keepalive) {
        this.session = session;
        this.keepalive = Envelope.of(Envelope.MESSAGE, keepalive.getBytes(StandardCharsets.UTF_8));
    }

    private LiveBody body() {
        LiveBody open = body;
        if (open == null) {
            open = LiveBody.start(session.http().request(), session.http().response(), MEDIA_TYPE, keepalive, session.silence());
            open.whenLost(wake);
            body = open;
        }
        return open;
    }

    /// What ends the wait for the next message when the client has gone away. Before the first message.
    void whenLost(Runnable end) {
        wake = end;
    }

    /// True when the client is known to have gone away.
    boolean lost() {
        return body != null && body.lost();
    }

    void send(String json) throws IOException {
        sendEnvelope(Envelope.of(Envelope.MESSAGE, json.getBytes(StandardCharsets.UTF_8)));
    }

    void sendEnvelope(byte[] envelope) throws IOException {
        body().write(envelope);
    }

    void end() throws IOException {
        body().finish(Envelope.of(Envelope.END, new byte[] {'{', '}'}));
    }

    void fail(RpcException e) throws IOException {
        body().finish(Envelope.of(Envelope.END, Json.object(out -> {
            out.writeObjectPropertyStart("error");
            e.writeKeys(out);
            out.writeEndObject();
        })));
    }

    @Override
    public void close() {
        if (body != null) {
            body.close();
        }
    }
}
