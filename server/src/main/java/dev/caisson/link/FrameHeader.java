package dev.caisson.link;

import java.nio.ByteBuffer;

/// The 12 bytes before every frame's payload; docs/link.md has the layout.
///
/// @param length bytes of payload
/// @param stream 0 is the connection itself
/// @param channel 0 for messages, 1 to 3 for raw bytes
record FrameHeader(int length, int stream, FrameKind kind, int channel) {
    static final int BYTES = 12;
    static final int CHANNELS = 4;

    /// Reads a header and refuses what no frame may be, whatever the state of the link.
    static FrameHeader read(ByteBuffer from, LinkLimits limits) throws LinkException {
        int length = from.getInt();
        int stream = from.getInt();
        byte code = from.get();
        int channel = from.get();
        short reserved = from.getShort();
        var kind = FrameKind.of(code).orElseThrow(() -> new LinkException("unknown frame kind " + code));
        if (reserved != 0 || channel < 0 || channel >= CHANNELS || stream < 0) {
            throw new LinkException("malformed frame header");
        }
        int most = switch (kind) {
            case OPEN -> limits.maxMessageBytes();
            case DATA -> channel == 0 ? limits.maxMessageBytes() : limits.maxDataBytes();
            case CREDIT -> 4;
            case END, CLOSE -> 0;
            case RESET -> 1024;
            case PING, PONG -> 8;
        };
        int least = switch (kind) {
            case OPEN, DATA -> 1;
            case CREDIT -> 4;
            case END, CLOSE, RESET -> 0;
            case PING, PONG -> 8;
        };
        if (length < least || length > most) {
            throw new LinkException(kind + " frame of " + Integer.toUnsignedString(length) + " bytes");
        }
        boolean connectionWide = kind == FrameKind.PING || kind == FrameKind.PONG;
        if (connectionWide && stream != 0 || stream == 0 && !connectionWide && !(kind == FrameKind.DATA && channel == 0)) {
            throw new LinkException(kind + " frame on stream " + stream);
        }
        if (kind == FrameKind.END && channel == 0 || (kind == FrameKind.OPEN || kind == FrameKind.RESET || kind == FrameKind.CLOSE) && channel != 0) {
            throw new LinkException(kind + " frame on channel " + channel);
        }
        return new FrameHeader(length, stream, kind, channel);
    }

    void write(ByteBuffer to) {
        to.putInt(length).putInt(stream).put(kind.code()).put((byte) channel).putShort((short) 0);
    }
}
