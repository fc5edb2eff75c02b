package dev.caisson.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FramesTest {
    private final List<String> events = new ArrayList<>();
    private final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
    private final ByteArrayOutputStream stderr = new ByteArrayOutputStream();
    private final Frames frames = new Frames(new Frames.Sink() {
        @Override
        public void event(Json.Obj event) {
            events.add(event.text("event"));
        }

        @Override
        public void stdout(ByteBuffer bytes) {
            put(bytes, stdout);
        }

        @Override
        public void stderr(ByteBuffer bytes) {
            put(bytes, stderr);
        }
    });

    private static void put(ByteBuffer bytes, ByteArrayOutputStream into) {
        into.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
    }

    static byte[] frame(int kind, byte[] payload) {
        return ByteBuffer.allocate(8 + payload.length).putInt(kind << 24).putInt(payload.length).put(payload).array();
    }

    static byte[] event(String json) {
        return frame(0, json.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] stream() throws IOException {
        var all = new ByteArrayOutputStream();
        all.write(event("{\"event\":\"started\"}"));
        all.write(frame(1, "out".getBytes(StandardCharsets.UTF_8)));
        all.write(frame(3, new byte[0]));
        all.write(frame(2, "err".getBytes(StandardCharsets.UTF_8)));
        all.write(frame(77, "of a later version".getBytes(StandardCharsets.UTF_8)));
        all.write(frame(1, new byte[0]));
        all.write(frame(1, "put".getBytes(StandardCharsets.UTF_8)));
        all.write(event("{\"event\":\"ended\"}"));
        return all.toByteArray();
    }

    @Test
    void readsFramesHoweverTheyAreCut() throws IOException {
        byte[] all = stream();
        for (int cut = 1; cut <= all.length; cut++) {
            events.clear();
            stdout.reset();
            stderr.reset();
            for (int at = 0; at < all.length; at += cut) {
                frames.feed(ByteBuffer.wrap(all, at, Math.min(cut, all.length - at)).slice());
            }
            assertThat(events).containsExactly("started", "ended");
            assertThat(stdout.toString(StandardCharsets.UTF_8)).isEqualTo("output");
            assertThat(stderr.toString(StandardCharsets.UTF_8)).isEqualTo("err");
        }
    }

    @Test
    void passesPartsOfAFrameOnBeforeItIsWhole() throws IOException {
        frames.feed(ByteBuffer.wrap(frame(1, "output".getBytes(StandardCharsets.UTF_8)), 0, 11).slice());
        assertThat(stdout.toString(StandardCharsets.UTF_8)).isEqualTo("out");
    }

    @Test
    void refusesWhatIsNoFrame() {
        var wrong = List.of(
                ByteBuffer.allocate(8).putInt(0x01_00_00_01).putInt(1), ByteBuffer.allocate(8).putInt(0x01_00_00_00).putInt(Frames.MAX_FRAME + 1),
                ByteBuffer.allocate(8).putInt(0x01_00_00_00).putInt(-1), ByteBuffer.allocate(8).putInt(0).putInt(0));
        for (var each : wrong) {
            var fresh = new Frames(new Frames.Sink() {
                @Override
                public void event(Json.Obj event) {}

                @Override
                public void stdout(ByteBuffer bytes) {}

                @Override
                public void stderr(ByteBuffer bytes) {}
            });
            assertThatThrownBy(() -> fresh.feed(each.flip())).isInstanceOf(CaissonException.class);
        }
        assertThatThrownBy(() -> frames.feed(ByteBuffer.wrap(event("{]")))).isInstanceOf(CaissonException.class);
    }
}
