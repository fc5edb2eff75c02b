package dev.caisson.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// Takes `application/vnd.caisson.stream` apart, as its bytes come, without copying them.
///
/// A frame: one byte kind, three bytes zero, four bytes length (big-endian), the payload. Pieces of outputs are passed on before their frame is whole.
/// Threads: one.
final class Frames {
    static final int MAX_FRAME = 1024 * 1024;

    private static final int EVENT = 0;
    private static final int STDOUT = 1;
    private static final int STDERR = 2;

    private final Sink sink;
    private final ByteBuffer header = ByteBuffer.allocate(8);
    private int kind = -1;
    private int left;
    private byte[] event = new byte[0];

    Frames(Sink sink) {
        this.sink = sink;
    }

    /// Where the parts go.
    interface Sink {
        void event(Json.Obj event);

        void stdout(ByteBuffer bytes) throws IOException;

        void stderr(ByteBuffer bytes) throws IOException;
    }

    void feed(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            if (kind < 0) {
                readHeader(bytes);
            } else {
                int count = Math.min(left, bytes.remaining());
                payload(bytes.slice(bytes.position(), count));
                bytes.position(bytes.position() + count);
            }
        }
    }

    private void readHeader(ByteBuffer bytes) {
        while (header.hasRemaining() && bytes.hasRemaining()) {
            header.put(bytes.get());
        }
        if (header.hasRemaining()) {
            return;
        }
        header.flip();
        int word = header.getInt();
        left = header.getInt();
        header.clear();
        if ((word & 0xffffff) != 0 || left < 0 || left > MAX_FRAME) {
            throw CaissonException.badAnswer("a frame that is none", null);
        }
        kind = word >>> 24;
        if (kind == EVENT) {
            event = new byte[left];
        }
        if (left == 0) {
            payload(kind);
        }
    }

    private void payload(int emptyOfKind) {
        if (emptyOfKind == EVENT) {
            throw CaissonException.badAnswer("an empty event", null);
        }
        kind = -1;
    }

    private void payload(ByteBuffer piece) throws IOException {
        int count = piece.remaining();
        switch (kind) {
            case STDOUT -> sink.stdout(piece);
            case STDERR -> sink.stderr(piece);
            case EVENT -> piece.get(event, event.length - left, count);
            default -> {
                // A kind of a later version: its bytes are passed over.
            }
        }
        left -= count;
        if (left == 0) {
            int whole = kind;
            kind = -1;
            if (whole == EVENT) {
                emit();
            }
        }
    }

    private void emit() {
        try {
            sink.event(Json.parseObject(new String(event, StandardCharsets.UTF_8)));
        } catch (IllegalArgumentException e) {
            throw CaissonException.badAnswer("an event that is not JSON", e);
        }
    }
}
