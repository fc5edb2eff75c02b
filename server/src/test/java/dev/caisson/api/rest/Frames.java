package dev.caisson.api.rest;

import dev.caisson.json.JsonObject;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/// Reads the binary form of a command's stream, as a client does that was written from the document alone.
final class Frames {
    record Frame(int kind, byte[] payload) {
        JsonObject json() {
            return JsonObject.parse(payload);
        }
    }

    private final DataInputStream in;
    final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
    final ByteArrayOutputStream stderr = new ByteArrayOutputStream();
    final List<JsonObject> events = new ArrayList<>();
    int heartbeats;

    Frames(InputStream in) {
        this.in = new DataInputStream(in);
    }

    Frame next() throws IOException {
        int kind = in.readUnsignedByte();
        if (in.readUnsignedByte() + in.readUnsignedByte() + in.readUnsignedByte() != 0) {
            throw new IOException("the three bytes are not zero");
        }
        int length = in.readInt();
        if (length < 0 || length > 1 << 20) {
            throw new IOException("a frame of " + length + " bytes");
        }
        byte[] payload = in.readNBytes(length);
        if (payload.length < length) {
            throw new EOFException();
        }
        switch (kind) {
            case 0 -> events.add(JsonObject.parse(payload));
            case 1 -> stdout.writeBytes(payload);
            case 2 -> stderr.writeBytes(payload);
            case 3 -> heartbeats++;
            default -> throw new IOException("a frame of kind " + kind);
        }
        return new Frame(kind, payload);
    }

    /// Reads to the last event, which must be the end of the body too.
    JsonObject last() throws IOException {
        while (true) {
            Frame frame = next();
            if (frame.kind() == 0) {
                String event = frame.json().text("event");
                if (event.equals("ended") || event.equals("problem")) {
                    if (in.read() >= 0) {
                        throw new IOException("there is something after the last event");
                    }
                    return frame.json();
                }
            }
        }
    }
}
