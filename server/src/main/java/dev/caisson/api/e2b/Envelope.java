package dev.caisson.api.e2b;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;

/// One message of a stream of the Connect protocol: a byte of flags, four of length (big-endian), the message.
final class Envelope {
    static final int MESSAGE = 0;
    static final int END = 2;
    private static final int COMPRESSED = 1;
    private static final int HEAD = 5;
    /// Longest message taken. Unit: bytes.
    static final int MAX_BYTES = 4 * 1024 * 1024;

    private Envelope() {}

    static byte[] of(int flags, byte[] message) {
        return ByteBuffer.allocate(HEAD + message.length).put((byte) flags).putInt(message.length).put(message).array();
    }

    /// A message made of bytes between two texts of JSON, encoded as JSON has bytes.
    static byte[] ofBytes(String before, ByteBuffer bytes, String after) {
        ByteBuffer encoded = Base64.getEncoder().encode(bytes);
        int length = before.length() + encoded.remaining() + after.length();
        return ByteBuffer.allocate(HEAD + length).put((byte) MESSAGE).putInt(length)
                .put(before.getBytes(StandardCharsets.US_ASCII)).put(encoded).put(after.getBytes(StandardCharsets.US_ASCII)).array();
    }

    /// The next message; empty at the end of the body.
    static Optional<byte[]> read(InputStream in) throws IOException {
        byte[] head = in.readNBytes(HEAD);
        if (head.length == 0) {
            return Optional.empty();
        }
        if (head.length < HEAD) {
            throw new EOFException("the body ended inside of an envelope");
        }
        int flags = head[0] & 0xFF;
        int length = ByteBuffer.wrap(head, 1, 4).getInt();
        if ((flags & COMPRESSED) != 0) {
            throw new RpcException(RpcCode.INTERNAL, "a message is flagged as compressed, but no compression was agreed on");
        }
        if (flags != MESSAGE) {
            throw new RpcException(RpcCode.INVALID_ARGUMENT, "a message has flags that are not known: " + flags);
        }
        if (length < 0 || length > MAX_BYTES) {
            throw new RpcException(RpcCode.RESOURCE_EXHAUSTED, "a message is larger than " + MAX_BYTES + " bytes");
        }
        byte[] message = in.readNBytes(length);
        if (message.length < length) {
            throw new EOFException("the body ended inside of an envelope");
        }
        return Optional.of(message);
    }
}
