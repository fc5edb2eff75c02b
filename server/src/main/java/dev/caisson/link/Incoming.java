package dev.caisson.link;

import java.nio.ByteBuffer;

/// What a stream brings, in the order it was sent.
public sealed interface Incoming {
    record Message(byte[] bytes) implements Incoming {}

    /// Raw bytes of channel 1 to 3; valid until the stream's next is asked for.
    record Data(int channel, ByteBuffer bytes) implements Incoming {}

    /// Nothing more comes on this channel.
    record End(int channel) implements Incoming {}

    /// Nothing more comes on this stream.
    record Closed() implements Incoming {}
}
