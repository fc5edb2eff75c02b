package dev.caisson.runtime.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a QEMU that has been taken over may say to us.
class QmpTest {
    private static final String GREETING = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n";
    private static final String DONE = "{\"return\": {}}\r\n";
    private static final String EVENT = "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"%s\"}\r\n";
    private static final String MIGRATION = "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"MIGRATION\", \"data\": {\"status\": \"%s\"}}\r\n";

    @TempDir
    private Path directory;

    private int connections;
    private SocketChannel qemu;
    private Qmp qmp;
    private final Deadline soon = Deadline.in(Duration.ofSeconds(5));

    @BeforeEach
    void connect() throws IOException {
        var address = UnixDomainSocketAddress.of(directory.resolve("q" + connections++));
        try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(address);
            qmp = new Qmp(SocketChannel.open(address));
            qemu = listener.accept();
        }
    }

    @AfterEach
    void hangUp() throws IOException {
        qmp.close();
        qemu.close();
    }

    private void says(String text) throws IOException {
        var bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            qemu.write(bytes);
        }
    }

    @Test
    void sendsAllAtOnceAndTakesAnswersInOrderAndEventsInBetween() throws IOException {
        says(GREETING + DONE + EVENT.formatted("STOP") + DONE + EVENT.formatted("RESUME") + DONE);
        qmp.obey(soon, Qmp.NEGOTIATE, Qmp.STOP, Qmp.CONTINUE);
        qmp.await(soon, event -> event.name().equals("RESUME"));
        var sent = ByteBuffer.allocate(4096);
        qemu.read(sent);
        assertThat(new String(sent.array(), 0, sent.position(), StandardCharsets.UTF_8)).isEqualTo(Qmp.NEGOTIATE + "\n" + Qmp.STOP + "\n" + Qmp.CONTINUE + "\n");
    }

    @Test
    void readsWhatComesInPieces() throws Exception {
        var speaker = Thread.ofVirtual().start(() -> {
            try {
                for (char c : (GREETING + DONE).toCharArray()) {
                    says(String.valueOf(c));
                    Thread.yield();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        qmp.obey(soon, Qmp.NEGOTIATE);
        speaker.join();
    }

    @Test
    void tellsWhyACommandWasRefused() throws IOException {
        says(GREETING + DONE + "{\"error\": {\"class\": \"GenericError\", \"desc\": \"State blocked\"}}\r\n");
        assertThatThrownBy(() -> qmp.obey(soon, Qmp.NEGOTIATE, Qmp.STOP)).isInstanceOf(IOException.class).hasMessageContaining("stop").hasMessageContaining("State blocked");
    }

    @Test
    void aMigrationThatFailsEndsTheWait() throws IOException {
        says(MIGRATION.formatted("active") + MIGRATION.formatted("failed"));
        assertThatThrownBy(() -> qmp.await(soon, event -> event.status().equals("completed"))).isInstanceOf(IOException.class).hasMessageContaining("could not move");
    }

    @Test
    void aLineWithoutEndIsRefused() throws IOException {
        Thread.ofVirtual().start(() -> {
            try {
                says("{\"return\": \"" + "x".repeat(2 * Qmp.MAX_LINE_BYTES));
            } catch (IOException _) {
                // We have hung up.
            }
        });
        assertThatThrownBy(() -> qmp.obey(soon, Qmp.NEGOTIATE)).isInstanceOf(IOException.class).hasMessageContaining("more than 65536 bytes");
    }

    @Test
    void aLineOfTheLargestSizeIsRead() throws IOException {
        String frame = "{\"return\": \"\"}\n";
        says("{\"return\": \"" + "x".repeat(Qmp.MAX_LINE_BYTES - frame.length()) + "\"}\n");
        qmp.obey(soon, Qmp.NEGOTIATE);
    }

    @Test
    void nonsenseIsRefused() throws IOException {
        for (String nonsense : new String[] {
            "\n", "hello\n", "[]\n", "{}\n", "{\"retur\": 1}\n", "{\"event\": 7}\n", "{\"event\": \"MIGRATION\"}\n", "{\"event\": \"MIGRATION\", \"data\": {\"status\": []}}\n",
            "{\"event\": \"MIGRATION\", \"data\": 7}\n", "{\"error\": {}}\n", "{\"error\": \"no\"}\n", "{\"return\": {}, \"return\": {}}\n", "{\"return\": " + "[".repeat(100) + "\n", "\u0000\n", "{\"return\": {}} {}\n"}) {
            hangUp();
            connect();
            says(nonsense);
            assertThatThrownBy(() -> qmp.obey(soon, Qmp.NEGOTIATE)).as(nonsense).isInstanceOf(IOException.class);
        }
    }

    @Test
    void bytesThatAreNoTextAreRefused() throws IOException {
        qemu.write(ByteBuffer.wrap(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}', '\n'}));
        assertThatThrownBy(() -> qmp.obey(soon, Qmp.NEGOTIATE)).isInstanceOf(IOException.class).hasMessageContaining("not QMP");
    }

    @Test
    void aFloodOfEventsIsRefused() {
        Thread.ofVirtual().start(() -> {
            try {
                for (int i = 0; i < 3 * Qmp.MAX_LINES; i++) {
                    says(EVENT.formatted("NICE"));
                }
            } catch (IOException _) {
                // We have hung up.
            }
        });
        assertThatThrownBy(() -> qmp.obey(soon, Qmp.NEGOTIATE)).isInstanceOf(IOException.class).hasMessageContaining("too much");
    }

    @Test
    void silenceIsGivenUp() {
        assertThatThrownBy(() -> qmp.obey(Deadline.in(Duration.ofMillis(50)), Qmp.NEGOTIATE)).isInstanceOf(IOException.class).hasMessageContaining("not done within 0.05 s");
    }

    @Test
    void aDripIsGivenUp() {
        var speaker = Thread.ofVirtual().start(() -> {
            try {
                for (int i = 0; i < 1000; i++) {
                    says(" ");
                    Thread.sleep(1);
                }
            } catch (IOException | InterruptedException _) {
                // We have hung up.
            }
        });
        assertThatThrownBy(() -> qmp.obey(Deadline.in(Duration.ofMillis(100)), Qmp.NEGOTIATE)).isInstanceOf(IOException.class).hasMessageContaining("not done within");
        speaker.interrupt();
    }

    @Test
    void hangingUpIsTold() throws IOException {
        says(GREETING);
        qemu.close();
        assertThatThrownBy(() -> qmp.obey(soon, Qmp.NEGOTIATE)).isInstanceOf(IOException.class).hasMessageContaining("hung up");
    }

    @Test
    void quitWaitsUntilItHangsUp() throws Exception {
        says(DONE + EVENT.formatted("SHUTDOWN"));
        var waiting = Thread.ofVirtual().start(() -> {
            try {
                qmp.quit(soon);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        assertThat(waiting.join(Duration.ofMillis(100))).isFalse();
        qemu.close();
        assertThat(waiting.join(Duration.ofSeconds(5))).isTrue();
    }
}
