package dev.caisson.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A guest that owns its end of the socket says what it likes; ours cuts it off, and holds no more than its bounds meanwhile.
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class HostileGuestTest {
    private static final byte[] PREFACE = "CAISSON1".getBytes(java.nio.charset.StandardCharsets.US_ASCII);

    /// A frame that breaks a rule, and a word of the reason it must be cut off for.
    record Offence(String name, byte[] frame, String reason) {
        @Override
        public String toString() {
            return name;
        }
    }

    static List<Offence> offences() {
        var offences = new ArrayList<Offence>();
        offences.add(new Offence("unknown kind", frame(0, 2, 99, 1), "unknown frame kind"));
        offences.add(new Offence("kind zero", frame(0, 2, 0, 1), "unknown frame kind"));
        offences.add(new Offence("endless length", frame(-1, 2, 2, 1), "DATA frame of 4294967295 bytes"));
        offences.add(new Offence("data over the bound", frame(65_537, 2, 2, 1), "DATA frame of 65537 bytes"));
        offences.add(new Offence("message over the bound", frame((1 << 20) + 1, 2, 2, 0), "DATA frame of 1048577 bytes"));
        offences.add(new Offence("empty data", frame(0, 2, 2, 1), "DATA frame of 0 bytes"));
        offences.add(new Offence("channel out of range", frame(1, 2, 2, 4, 1), "malformed"));
        offences.add(new Offence("negative stream", frame(1, -2, 2, 1, 1), "malformed"));
        offences.add(new Offence("reserved bytes", reserved(), "malformed"));
        offences.add(new Offence("stream never opened", frame(1, 400, 2, 1, 1), "never opened"));
        offences.add(new Offence("opening of its own", frame(1, 1, 1, 0, 1), "may not open"));
        offences.add(new Offence("opening of ours", frame(1, 8, 1, 0, 1), "may not open"));
        offences.add(new Offence("credit out of nothing", frame(4, 2, 3, 1, 0x7f, 0xff, 0xff, 0xff), "never sent"));
        offences.add(new Offence("negative credit", frame(4, 2, 3, 1, 0xff, 0, 0, 0), "never sent"));
        offences.add(new Offence("end of the message channel", frame(0, 2, 4, 0), "END frame on channel 0"));
        offences.add(new Offence("close on a channel", frame(0, 2, 6, 1), "CLOSE frame on channel 1"));
        offences.add(new Offence("ping on a stream", frame(8, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0), "PING frame on stream 2"));
        offences.add(new Offence("raw data on stream 0", frame(1, 0, 2, 1, 1), "DATA frame on stream 0"));
        offences.add(new Offence("data after the end", join(frame(0, 2, 4, 1), frame(1, 2, 2, 1, 1)), "after the end"));
        offences.add(new Offence("closed twice", join(frame(0, 2, 6, 0), frame(0, 2, 6, 0)), "closed twice"));
        offences.add(new Offence("another protocol", "HTTP/1.1 200 OK\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII), ""));
        return offences;
    }

    @ParameterizedTest
    @MethodSource("offences")
    void isCutOffForBreakingARule(Offence offence) throws Exception {
        var pair = Pair.open();
        try (var link = Link.start(pair.listened(), Link.Side.LISTENED, LinkLimits.STANDARD, null, "host"); var guest = pair.dialed()) {
            drain(guest);
            send(guest, PREFACE);
            link.open(new byte[] {1});
            send(guest, offence.frame());
            link.awaitEnd();
            assertThat(link.over().orElseThrow()).contains(offence.reason());
        }
    }

    @Test
    void cannotMakeUsHoldMoreThanTheWindow() throws Exception {
        var pair = Pair.open();
        try (var link = Link.start(pair.listened(), Link.Side.LISTENED, LinkLimits.STANDARD, null, "host"); var guest = pair.dialed()) {
            drain(guest);
            link.open(new byte[] {1});
            send(guest, PREFACE);
            long before = used();
            long sent = flood(guest, frame(65_536, 2, 2, 1, new int[65_536]), 1L << 30);
            link.awaitEnd();
            assertThat(link.over().orElseThrow()).contains("data without credit");
            // What it got rid of is what was taken in and what the socket's own buffer swallowed.
            assertThat(sent).isLessThan(4L << 20);
            assertThat(used() - before).isLessThan(8L << 20);
        }
    }

    @Test
    void cannotFillUsWithTinyMessages() throws Exception {
        var pair = Pair.open();
        try (var link = Link.start(pair.listened(), Link.Side.LISTENED, LinkLimits.STANDARD, null, "host"); var guest = pair.dialed()) {
            drain(guest);
            link.open(new byte[] {1});
            send(guest, PREFACE);
            flood(guest, frame(1, 2, 2, 0, 7), 64L << 20);
            link.awaitEnd();
            assertThat(link.over().orElseThrow()).contains("messages waiting");
        }
    }

    @Test
    void randomBytesNeverHurtMoreThanTheirOwnLink() throws Exception {
        long before = used();
        for (int seed = 0; seed < 400; seed++) {
            var random = new Random(seed);
            var pair = Pair.open();
            try (var link = Link.start(pair.listened(), Link.Side.LISTENED, LinkLimits.STANDARD, null, "host"); var guest = pair.dialed()) {
                drain(guest);
                var stream = link.open(new byte[] {1});
                send(guest, PREFACE);
                try {
                    for (int i = 0; i < 200 && link.over().isEmpty(); i++) {
                        send(guest, randomFrame(random));
                    }
                    guest.shutdownOutput();
                } catch (IOException _) {
                    // Cut off between the look and the write.
                }
                link.awaitEnd();
                stream.close();
            }
        }
        assertThat(used() - before).isLessThan(16L << 20);
    }

    /// Mostly plausible frames, some with one thing wrong, some noise.
    private static byte[] randomFrame(Random random) {
        int length = random.nextInt(8) == 0 ? random.nextInt(70_000) : random.nextInt(64);
        int kind = random.nextInt(10) == 0 ? random.nextInt(256) : 2 + random.nextInt(2);
        var frame = ByteBuffer.allocate(12 + length);
        frame.putInt(kind == 3 ? 4 : length).putInt(random.nextInt(20) == 0 ? random.nextInt() : 2).put((byte) kind).put((byte) random.nextInt(random.nextInt(20) == 0 ? 256 : 4));
        frame.putShort((short) (random.nextInt(50) == 0 ? 1 : 0));
        byte[] noise = new byte[length];
        random.nextBytes(noise);
        frame.put(noise);
        return frame.array();
    }

    private static long flood(SocketChannel guest, byte[] frame, long most) {
        long sent = 0;
        try {
            while (sent < most) {
                send(guest, frame);
                sent += frame.length;
            }
        } catch (IOException _) {
            // Cut off: what the test is about.
        }
        return sent;
    }

    private static void drain(SocketChannel guest) {
        Thread.ofVirtual().start(() -> {
            try {
                var nowhere = ByteBuffer.allocate(4096);
                while (guest.read(nowhere.clear()) >= 0) {
                    // Let go.
                }
            } catch (IOException _) {
                // The end.
            }
        });
    }

    private static void send(SocketChannel guest, byte[] bytes) throws IOException {
        var buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            guest.write(buffer);
        }
    }

    private static long used() throws InterruptedException {
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.yield();
        }
        var runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    private static byte[] reserved() {
        byte[] frame = frame(1, 2, 2, 1, 1);
        frame[11] = 1;
        return frame;
    }

    private static byte[] join(byte[] one, byte[] other) {
        return ByteBuffer.allocate(one.length + other.length).put(one).put(other).array();
    }

    private static byte[] frame(int length, int stream, int kind, int channel, int... payload) {
        var frame = ByteBuffer.allocate(12 + payload.length).putInt(length).putInt(stream).put((byte) kind).put((byte) channel).putShort((short) 0);
        for (int b : payload) {
            frame.put((byte) b);
        }
        return frame.array();
    }
}
