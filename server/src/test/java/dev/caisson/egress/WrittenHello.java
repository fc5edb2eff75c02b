package dev.caisson.egress;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// A hello written by hand, so that each part can be wrong.
final class WrittenHello {
    private final List<byte[]> extensions = new ArrayList<>();
    private byte[] behind = {};

    WrittenHello extension(int type, byte[] content) {
        extensions.add(join(number(2, type), vector(2, content)));
        return this;
    }

    WrittenHello raw(byte[] extension) {
        extensions.add(extension);
        return this;
    }

    WrittenHello name(String name) {
        return name(name.getBytes(StandardCharsets.ISO_8859_1));
    }

    WrittenHello name(byte[] name) {
        return extension(0, vector(2, join(new byte[] {0}, vector(2, name))));
    }

    WrittenHello behind(byte[] more) {
        behind = more;
        return this;
    }

    byte[] message() {
        byte[] body = join(new byte[] {3, 3}, new byte[32], vector(1, new byte[] {}), vector(2, new byte[] {0x13, 1}), vector(1, new byte[] {0}),
                vector(2, join(extensions.toArray(byte[][]::new))), behind);
        return join(new byte[] {1}, vector(3, body));
    }

    byte[] bytes() {
        return inRecords(message(), 16_384);
    }

    ClientHello read() {
        return ClientHello.read(ByteBuffer.wrap(bytes()));
    }

    /// @param fragment bytes of the message in each record
    static byte[] inRecords(byte[] message, int fragment) {
        var out = new ByteArrayOutputStream();
        for (int at = 0; at < message.length; at += fragment) {
            int length = Math.min(fragment, message.length - at);
            out.writeBytes(join(new byte[] {22, 3, 1}, number(2, length)));
            out.write(message, at, length);
        }
        return out.toByteArray();
    }

    static byte[] number(int bytes, int value) {
        byte[] number = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            number[i] = (byte) (value >> 8 * (bytes - 1 - i));
        }
        return number;
    }

    static byte[] vector(int lengthBytes, byte[] content) {
        return join(number(lengthBytes, content.length), content);
    }

    static byte[] join(byte[]... parts) {
        var out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
