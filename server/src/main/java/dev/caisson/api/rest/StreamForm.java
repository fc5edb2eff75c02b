package dev.caisson.api.rest;

import dev.caisson.api.LiveBody;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.sandbox.CommandEvent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
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
        byte[] event(byte[] json) {
            byte[] head = frame(EVENT, json.length);
            byte[] whole = Arrays.copyOf(head, head.length + json.length);
            System.arraycopy(json, 0, whole, head.length, json.length);
            return whole;
        }

        @Override
        void write(LiveBody body, CommandEvent.Output output) throws IOException {
            byte kind = output.channel() == CommandEvent.Channel.STDOUT ? STDOUT : STDERR;
            ByteBuffer data = output.data();
            while (data.hasRemaining()) {
                int length = Math.min(data.remaining(), LiveBody.PIECE);
                body.write(frame(kind, length), data.slice(data.position(), length));
                data.position(data.position() + length);
            }
        }

        @Override
        void skip(LiveBody body, CommandEvent.Output to) throws IOException {
            body.write(event(Forms.COMMAND_EVENT.bytes(to)));
        }
    },

    /// One JSON object a line.
    LINES("application/x-ndjson") {
        @Override
        byte[] heartbeat() {
            return event("{\"event\":\"heartbeat\"}".getBytes(StandardCharsets.US_ASCII));
        }

        @Override
        byte[] event(byte[] json) {
            byte[] line = Arrays.copyOf(json, json.length + 1);
            line[json.length] = '\n';
            return line;
        }

        @Override
        void write(LiveBody body, CommandEvent.Output output) throws IOException {
            body.write(event(Json.object(out -> {
                Forms.COMMAND_EVENT.writeKeys(output, out);
                writeData(out, output.data());
            })));
        }

        @Override
        void skip(LiveBody body, CommandEvent.Output to) {
            // Every line of output has its offset.
        }
    };

    private static final byte EVENT = 0;
    private static final byte STDOUT = 1;
    private static final byte STDERR = 2;
    private static final byte HEARTBEAT = 3;

    private final String mediaType;

    StreamForm(String mediaType) {
        this.mediaType = mediaType;
    }

    String mediaType() {
        return mediaType;
    }

    abstract byte[] heartbeat();

    /// The bytes of an event that has no output; also of one that is no command's, such as a problem.
    abstract byte[] event(byte[] json);

    abstract void write(LiveBody body, CommandEvent.Output output) throws IOException;

    /// Says that a channel goes on at another offset than the client counts.
    abstract void skip(LiveBody body, CommandEvent.Output to) throws IOException;

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
