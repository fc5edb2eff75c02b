package dev.caisson.api.e2b;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.nio.ByteBuffer;
import org.eclipse.jetty.http.MultiPart;
import org.eclipse.jetty.io.Content;
import org.jspecify.annotations.Nullable;

/// The parts of a `multipart/form-data` body one after the other, each read as it comes: no part is ever held whole.
///
/// Threads: one.
final class MultipartBody {
    private static final int MAX_PARTS = 1_000;
    private static final int MAX_HEADER_BYTES = 16 * 1024;
    private static final int PIECE = 64 * 1024;

    private sealed interface Event {
        record Begin(Map<String, String> headers) implements Event {}

        record Bytes(byte[] data) implements Event {}

        record End() implements Event {}
    }

    private final InputStream body;
    private final MultiPart.Parser parser;
    private final Deque<Event> events = new ArrayDeque<>();
    private boolean complete;
    private @Nullable Throwable failure;

    /// @param body the bytes between the boundaries, decoded already
    MultipartBody(InputStream body, String boundary) {
        this.body = body;
        this.parser = new MultiPart.Parser(boundary, new Collector());
        parser.setMaxParts(MAX_PARTS);
        parser.setPartHeadersMaxLength(MAX_HEADER_BYTES);
    }

    private final class Collector implements MultiPart.Parser.Listener {
        private Map<String, String> headers = new HashMap<>();

        @Override
        public void onPartBegin() {
            headers = new HashMap<>();
        }

        @Override
        public void onPartHeader(String name, String value) {
            headers.put(name.toLowerCase(Locale.ROOT), value);
        }

        @Override
        public void onPartHeaders() {
            events.add(new Event.Begin(headers));
        }

        @Override
        public void onPartContent(Content.Chunk chunk) {
            // The parser lends its bytes until the next piece of the body.
            byte[] copy = new byte[chunk.getByteBuffer().remaining()];
            chunk.getByteBuffer().get(copy);
            if (copy.length > 0) {
                events.add(new Event.Bytes(copy));
            }
        }

        @Override
        public void onPartEnd() {
            events.add(new Event.End());
        }

        @Override
        public void onComplete() {
            complete = true;
        }

        @Override
        public void onFailure(Throwable problem) {
            failure = problem;
        }
    }

    /// A part.
    ///
    /// @param name of the form's field
    /// @param filename with all its slashes; empty for a field that is no file
    record Part(String name, String filename, InputStream content) {}

    /// The next part; what is left of the one before is passed over.
    ///
    /// Errors: 400 for what is not of this form.
    Optional<Part> next() throws IOException {
        while (true) {
            Event event = event();
            if (event == null) {
                return Optional.empty();
            }
            if (event instanceof Event.Begin(var headers)) {
                var disposition = ContentDisposition.parse(headers.getOrDefault("content-disposition", ""));
                return Optional.of(new Part(disposition.getOrDefault("name", ""), disposition.getOrDefault("filename", ""), new PartInput()));
            }
        }
    }

    private @Nullable Event event() throws IOException {
        byte[] piece = new byte[PIECE];
        while (events.isEmpty() && !complete) {
            int count = body.read(piece);
            parser.parse(count < 0 ? Content.Chunk.EOF : Content.Chunk.from(ByteBuffer.wrap(piece, 0, count), false));
            if (failure != null) {
                throw new Refusal(400, "the body is not multipart/form-data as its header says");
            }
            if (count < 0 && !complete) {
                throw new EOFException("the body ended inside of a part");
            }
        }
        return events.poll();
    }

    private final class PartInput extends InputStream {
        private ByteBuffer data = ByteBuffer.allocate(0);
        private boolean ended;

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (length == 0) {
                return 0;
            }
            while (!data.hasRemaining() && !ended) {
                switch (event()) {
                    case Event.Bytes(byte[] bytes) -> data = ByteBuffer.wrap(bytes);
                    case Event.End _ -> ended = true;
                    case Event.Begin _ -> throw new IllegalStateException("a part began inside of another");
                    case null -> ended = true;
                }
            }
            if (ended) {
                return -1;
            }
            int count = Math.min(length, data.remaining());
            data.get(into, offset, count);
            return count;
        }
    }
}
