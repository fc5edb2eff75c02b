package dev.caisson.edge;

import dev.caisson.sandbox.PortConnection;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.eclipse.jetty.http.HttpCompliance;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpGenerator;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpHeaderValue;
import org.eclipse.jetty.http.HttpParser;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.http.MetaData;
import org.eclipse.jetty.util.BufferUtil;
import org.jspecify.annotations.Nullable;

/// HTTP/1.1 with a server in a sandbox, over a connection to its port: one request at a time, by Jetty's own generator and parser.
///
/// The server is hostile: the head and the trailers of an answer are bounded together, interim answers are counted, and whatever is not strictly HTTP/1.1 is refused
/// ([NotHttp]). An answer's end is known before the connection may be used again.
/// Threads: one sends, another may read.
/// Cleanup: close cuts the connection.
final class GuestConnection implements AutoCloseable {
    /// Status line, headers and trailers together. Unit: bytes.
    static final int MAX_HEAD_BYTES = 32 * 1024;
    private static final int MAX_INTERIM = 16;
    private static final int JOINED_BYTES = 16 * 1024;

    private final PortConnection port;
    private final HttpGenerator generator = new HttpGenerator();
    private final Incoming incoming = new Incoming();
    private final HttpParser parser = new HttpParser(incoming, MAX_HEAD_BYTES, HttpCompliance.RFC9110);
    private ByteBuffer received = BufferUtil.EMPTY_BUFFER;
    private boolean guestEnded;
    private volatile boolean sentWhole;

    GuestConnection(PortConnection port) {
        this.port = port;
    }

    /// What came is not an answer in HTTP/1.1, or broke off within one.
    static final class NotHttp extends IOException {
        NotHttp(String message) {
            super(message);
        }
    }

    /// Nothing at all came before the connection ended.
    static final class NoAnswer extends IOException {
        NoAnswer() {
            super("the server closed the connection without an answer");
        }
    }

    /// The head of an answer.
    record Head(int status, HttpFields fields) {
        boolean isInterim() {
            return status < 200 && status != 101;
        }
    }

    /// Sends a piece of a request.
    ///
    /// @param head given again with each piece
    /// @param last nothing follows
    void send(MetaData.Request head, ByteBuffer content, boolean last) throws IOException, InterruptedException {
        ByteBuffer header = null;
        ByteBuffer chunk = null;
        while (true) {
            switch (generator.generateRequest(head, header, chunk, content, last)) {
                case NEED_HEADER -> header = BufferUtil.allocate(room(head));
                case NEED_CHUNK, NEED_CHUNK_TRAILER -> chunk = BufferUtil.allocate(HttpGenerator.CHUNK_SIZE);
                case FLUSH -> {
                    write(header, chunk, content);
                    header = null;
                    chunk = null;
                }
                case CONTINUE -> {}
                case DONE, SHUTDOWN_OUT -> {
                    sentWhole |= last;
                    return;
                }
                case NEED_INFO, HEADER_OVERFLOW -> throw new IllegalStateException("a request that cannot be written");
            }
        }
    }

    private static int room(MetaData.Request head) {
        int bytes = 256 + 2 * (head.getMethod().length() + head.getHttpURI().toString().length());
        for (HttpField field : head.getHttpFields()) {
            bytes += 8 + 3 * (field.getName().length() + (field.getValue() == null ? 0 : field.getValue().length()));
        }
        return bytes;
    }

    /// In one piece where that is small: each piece costs a frame.
    private void write(@Nullable ByteBuffer header, @Nullable ByteBuffer chunk, ByteBuffer content) throws InterruptedException {
        int small = BufferUtil.length(header) + BufferUtil.length(chunk);
        if (small == 0) {
            port.write(content);
            return;
        }
        var joined = ByteBuffer.allocate(small + Math.min(content.remaining(), JOINED_BYTES));
        if (header != null) {
            joined.put(header);
        }
        if (chunk != null) {
            joined.put(chunk);
        }
        int more = Math.min(content.remaining(), joined.remaining());
        joined.put(content.slice(content.position(), more));
        content.position(content.position() + more);
        port.write(joined.flip());
        if (content.hasRemaining()) {
            port.write(content);
        }
    }

    /// The next head: an interim one or the answer's.
    ///
    /// @param toHead the request was HEAD, so no content follows whatever the headers say
    Head head(boolean toHead) throws IOException, InterruptedException {
        parser.setHeadResponse(toHead);
        boolean nothingYet = true;
        while (!incoming.headComplete) {
            if (!received.hasRemaining() && !guestEnded) {
                fill();
            }
            nothingYet &= !received.hasRemaining();
            if (nothingYet && guestEnded) {
                throw new NoAnswer();
            }
            parse();
        }
        var head = new Head(incoming.status, incoming.fields.asImmutable());
        if (head.status() < 200) {
            if (++incoming.interim > MAX_INTERIM) {
                throw new NotHttp("more than " + MAX_INTERIM + " interim answers");
            }
            if (head.isInterim()) {
                parse();
                if (!incoming.complete) {
                    throw new NotHttp("an interim answer with content");
                }
                incoming.next();
                parser.reset();
            }
        }
        return head;
    }

    /// The next bytes of the answer's content, valid until the next call; empty at its end.
    ///
    /// @param wait false to look only at what has arrived: empty then says nothing
    Optional<ByteBuffer> content(boolean wait) throws IOException, InterruptedException {
        incoming.content = null;
        while (true) {
            if (!incoming.complete) {
                parse();
            }
            ByteBuffer content = incoming.content;
            if (content != null) {
                return Optional.of(content);
            }
            if (incoming.complete || !wait && !received.hasRemaining()) {
                return Optional.empty();
            }
            if (!received.hasRemaining()) {
                if (guestEnded) {
                    throw new NotHttp("the answer broke off");
                }
                fill();
            }
        }
    }

    /// True when the answer has arrived whole.
    boolean isComplete() {
        return incoming.complete;
    }

    /// True when both messages are whole and clearly delimited, and the server did not say that it would close.
    boolean isReusable() {
        return incoming.complete && sentWhole && !guestEnded && !received.hasRemaining() && incoming.delimited() && generator.isEnd();
    }

    /// Makes ready for the next request.
    void reset() {
        incoming.next();
        incoming.interim = 0;
        parser.reset();
        generator.reset();
        sentWhole = false;
    }

    /// What follows the head of an upgrade, in no protocol that is known here: first what has arrived already.
    Optional<ByteBuffer> raw() throws InterruptedException {
        if (received.hasRemaining()) {
            ByteBuffer early = received;
            received = BufferUtil.EMPTY_BUFFER;
            return Optional.of(early);
        }
        return port.next();
    }

    void writeRaw(ByteBuffer bytes) throws InterruptedException {
        port.write(bytes);
    }

    void finishRaw() throws InterruptedException {
        port.finish();
    }

    private void fill() throws InterruptedException {
        // What was received is no longer ours to look at once more is asked for.
        received = BufferUtil.EMPTY_BUFFER;
        var next = port.next();
        if (next.isPresent()) {
            received = next.get();
        } else {
            guestEnded = true;
            parser.atEOF();
        }
    }

    private void parse() throws NotHttp {
        try {
            parser.parseNext(received);
        } catch (AssertionError e) {
            // Where assertions are on, Jetty 12 stumbles over its own refusal of an answer whose status is not an error: it says the refusal with that status.
            throw new NotHttp("not HTTP/1.1, or a head over " + MAX_HEAD_BYTES + " bytes");
        }
        String bad = incoming.bad;
        if (bad != null) {
            throw new NotHttp(bad);
        }
    }

    @Override
    public void close() {
        port.close();
    }

    /// What the parser has seen of the current answer.
    private static final class Incoming implements HttpParser.ResponseHandler {
        private HttpFields.Mutable fields = HttpFields.build();
        private HttpVersion version = HttpVersion.HTTP_1_1;
        private int status;
        private int interim;
        private boolean headComplete;
        private boolean complete;
        private @Nullable ByteBuffer content;
        private @Nullable String bad;

        void next() {
            fields = HttpFields.build();
            status = 0;
            headComplete = false;
            complete = false;
            content = null;
        }

        boolean delimited() {
            boolean length = fields.contains(HttpHeader.CONTENT_LENGTH) || fields.contains(HttpHeader.TRANSFER_ENCODING, HttpHeaderValue.CHUNKED.asString()) || status == 204 || status == 304;
            return length && version == HttpVersion.HTTP_1_1 && !fields.contains(HttpHeader.CONNECTION, HttpHeaderValue.CLOSE.asString());
        }

        @Override
        public void startResponse(HttpVersion of, int code, String reason) {
            version = of;
            status = code;
            if (code < 100 || code > 999) {
                bad = "an answer of status " + code;
            }
        }

        @Override
        public void parsedHeader(HttpField field) {
            fields.add(field);
        }

        @Override
        public boolean headerComplete() {
            headComplete = true;
            return true;
        }

        @Override
        public boolean content(ByteBuffer bytes) {
            content = bytes;
            return true;
        }

        @Override
        public boolean contentComplete() {
            return false;
        }

        @Override
        public boolean messageComplete() {
            complete = true;
            return true;
        }

        @Override
        public void earlyEOF() {
            bad = "the answer broke off";
        }

        @Override
        public void badMessage(HttpException failure) {
            bad = "not HTTP/1.1: " + failure.getReason();
        }
    }
}
