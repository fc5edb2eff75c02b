package dev.caisson.client;

import java.io.IOException;
import java.nio.ByteBuffer;

/// Takes the bytes of one output of a command, in order and without a gap. What it does not take at once, the command waits for.
@FunctionalInterface
public interface Output {
    /// Throws nothing away; for outputs nobody wants.
    Output NONE = _ -> {};

    /// @param bytes valid during this call only
    void write(ByteBuffer bytes) throws IOException;
}
