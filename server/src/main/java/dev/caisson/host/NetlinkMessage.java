package dev.caisson.host;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// One netlink message being written (netlink(7)): a header, a fixed part, then attributes, which may nest; everything aligned to 4 bytes.
///
/// Threads: one at a time.
final class NetlinkMessage {
    static final int HEADER_BYTES = 16;
    static final short REQUEST = 1;
    static final short ACK = 4;
    static final short EXCL = 0x200;
    static final short CREATE = 0x400;
    private static final int MAX_BYTES = 1024;
    private static final short NESTED = (short) 0x8000;

    private final ByteBuffer bytes = ByteBuffer.allocate(MAX_BYTES).order(ByteOrder.nativeOrder());

    /// @param flags beside REQUEST and ACK, which every message has
    NetlinkMessage(int type, int flags) {
        bytes.putInt(0).putShort((short) type).putShort((short) (REQUEST | ACK | flags)).putInt(0).putInt(0);
    }

    /// One that the kernel answers only when it is wrong.
    static NetlinkMessage silent(int type) {
        var message = new NetlinkMessage(type, 0);
        message.bytes.putShort(6, REQUEST);
        return message;
    }

    NetlinkMessage u8(int value) {
        bytes.put((byte) value);
        return this;
    }

    NetlinkMessage u16(int value) {
        bytes.putShort((short) value);
        return this;
    }

    NetlinkMessage u32(int value) {
        bytes.putInt(value);
        return this;
    }

    NetlinkMessage attribute(int type, byte[] value) {
        bytes.putShort((short) (4 + value.length)).putShort((short) type).put(value);
        pad();
        return this;
    }

    NetlinkMessage attribute(int type, int value) {
        bytes.putShort((short) 8).putShort((short) type).putInt(value);
        return this;
    }

    /// A text with the zero that ends it.
    NetlinkMessage attribute(int type, String value) {
        return attribute(type, (value + "\0").getBytes(StandardCharsets.US_ASCII));
    }

    @FunctionalInterface
    interface Part {
        void write(NetlinkMessage message);
    }

    /// An attribute whose value is what `part` writes.
    NetlinkMessage nested(int type, Part part) {
        return region((short) (type | NESTED), part);
    }

    /// The same without the mark that the value nests, for parts of the kernel that are older than the mark.
    NetlinkMessage region(int type, Part part) {
        int start = bytes.position();
        bytes.putShort((short) 0).putShort((short) type);
        part.write(this);
        bytes.putShort(start, (short) (bytes.position() - start));
        pad();
        return this;
    }

    private void pad() {
        while (bytes.position() % 4 != 0) {
            bytes.put((byte) 0);
        }
    }

    /// The whole message with its length and number.
    byte[] finished(int sequence) {
        bytes.putInt(0, bytes.position());
        bytes.putInt(8, sequence);
        return java.util.Arrays.copyOf(bytes.array(), bytes.position());
    }
}
