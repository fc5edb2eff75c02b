package dev.caisson.api.rest;

import dev.caisson.api.LiveBody;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.sandbox.CommandEvent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import tools.jackson.core.JsonGenerator;

/// The two forms in which a command's stream is told.
enum StreamForm {
    /// Binary: 1 byte kind, 3 bytes zero, 4 bytes length (unsigned, big endian), payload.
    FRAMES("application/vnd.caisson.stream") {
        @Override
        byte[] heartbeat() {
            return frame(HEARTBEAT, 0);
        }

        @Override
        void write(LiveBody body, CommandEvent event) throws IOException {
            if (event instanceof CommandEvent.Output(CommandEvent.Channel channel, long _, ByteBuffer data)) {
                byte kind = channel == CommandEvent.Channel.STDOUT ? STDOUT : STDERR;
                while (data.hasRemaining()) {
                    int length = Math.min(data.remaining(), LiveBody.PIECE);
                    body.write(frame(kind, length), data.slice(data.position(), length));
                    data.position(data.position() + length);
                }
            } else {
                writeJson(body, Forms.COMMAND_EVENT.bytes(event));
            }
        }

        @Override
        void skip(LiveBody body, CommandEvent.Output to) throws IOException {
            writeJson(body, Forms.COMMAND_EVENT.bytes(to));
        }

        @Override
        void writeJson(LiveBody body, byte[] event) throws IOException {
            body.write(frame(EVENT, event.length), ByteBuffer.wrap(event));
        }
    },

    /// One JSON object a line.
    LINES("application/x-ndjson") {
        @Override
        byte[] heartbeat() {
            return "{\"event\":\"heartbeat\"}\n".getBytes(StandardCharsets.US_ASCII);
        }

        @Override
        void write(LiveBody body, CommandEvent event) throws IOException {
            if (event instanceof CommandEvent.Output(CommandEvent.Channel _, long _, ByteBuffer data)) {
                writeJson(body, Json.object(out -> {
                    Forms.COMMAND_EVENT.writeKeys(event, out);
                    writeData(out, data);
                }));
            } else {
                writeJson(body, Forms.COMMAND_EVENT.bytes(event));
            }
        }

        @Override
        void skip(LiveBody body, CommandEvent.Output to) {
            // Every line of output has its offset.
        }

        @Override
        void writeJson(LiveBody body, byte[] event) throws IOException {
            body.write(event, ByteBuffer.wrap(NEWLINE));
        }
    };

    private static final byte EVENT = 0;
    private static final byte STDOUT = 1;
    private static final byte STDERR = 2;
    private static final byte HEARTBEAT = 3;
    private static final byte[] NEWLINE = {'\n'};

    private final String mediaType;

    StreamForm(String mediaType) {
        this.mediaType = mediaType;
    }

    String mediaType() {
        return mediaType;
    }

    abstract byte[] heartbeat();

    abstract void write(LiveBody body, CommandEvent event) throws IOException;

    /// Says that a channel goes on at another offset than the client counts.
    abstract void skip(LiveBody body, CommandEvent.Output to) throws IOException;

    /// Writes an event that is no command's, such as a problem.
    abstract void writeJson(LiveBody body, byte[] event) throws IOException;

    static StreamForm chosenBy(Call call) {
        call.acceptsOneOf(FRAMES.mediaType, LINES.mediaType);
        return call.accepts(FRAMES.mediaType) ? FRAMES : LINES;
    }

    private static byte[] frame(byte kind, int length) {
        return new byte[] {kind, 0, 0, 0, (byte) (length >>> 24), (byte) (length >>> 16), (byte) (length >>> 8), (byte) length};
    }

    private static void writeData(JsonGenerator out, ByteBuffer data) {
        byte[] bytes = new byte[data.remaining()];
        data.get(bytes);
        try {
            out.writeStringProperty("data", StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
        } catch (CharacterCodingException _) {
            out.writeStringProperty("data_base64", Base64.getEncoder().encodeToString(bytes));
        }
    }
}
