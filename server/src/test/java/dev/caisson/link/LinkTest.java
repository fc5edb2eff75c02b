package dev.caisson.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class LinkTest {
    private Pair pair;
    private Link asking;

    @BeforeEach
    void connect() throws IOException {
        pair = Pair.open();
        asking = Link.start(pair.listened(), Link.Side.LISTENED, LinkLimits.INTERNAL, null, "asking");
    }

    @AfterEach
    void disconnect() throws IOException {
        asking.close();
        pair.dialed().close();
    }

    private Link answering(Link.Acceptor acceptor) throws LinkException {
        return Link.start(pair.dialed(), Link.Side.DIALED, LinkLimits.INTERNAL, acceptor, "answering");
    }

    @Test
    void answersOnTheStreamThatAsked() throws Exception {
        answering((stream, opening) -> stream.send(("you said " + text(opening)).getBytes(StandardCharsets.UTF_8)));
        for (String word : new String[] {"one", "two"}) {
            try (var stream = asking.open(word.getBytes(StandardCharsets.UTF_8))) {
                assertThat(text(message(stream))).isEqualTo("you said " + word);
                assertThat(stream.next()).isInstanceOf(Incoming.Closed.class);
            }
        }
    }

    @Test
    void anInterruptedSenderBreaksNobodysLink() throws Exception {
        answering((stream, opening) -> stream.send(opening));
        Thread.currentThread().interrupt();
        var opened = asking.open(new byte[] {1});
        opened.close();
        assertThat(Thread.interrupted()).as("it is still interrupted").isTrue();
        assertThat(asking.over()).isEmpty();
        try (var stream = asking.open(new byte[] {2})) {
            assertThat(message(stream)).containsExactly(2);
        }
    }

    @Test
    void carriesMegabytesExactlyThroughASmallWindow() throws Exception {
        byte[] sent = new byte[20 << 20];
        new Random(7).nextBytes(sent);
        answering((stream, _) -> {
            stream.write(2, ByteBuffer.wrap(sent));
            stream.end(2);
        });
        var received = MessageDigest.getInstance("SHA-256");
        try (var stream = asking.open(new byte[] {1})) {
            while (stream.next() instanceof Incoming.Data(int channel, ByteBuffer bytes)) {
                assertThat(channel).isEqualTo(2);
                received.update(bytes);
            }
        }
        assertThat(received.digest()).isEqualTo(MessageDigest.getInstance("SHA-256").digest(sent));
    }

    @Test
    void aSenderWaitsForAReaderThatDoesNotTake() throws Exception {
        var sent = new AtomicLong();
        answering((stream, _) -> {
            for (int i = 0; i < 1000; i++) {
                stream.write(1, ByteBuffer.allocate(10_000));
                sent.addAndGet(10_000);
            }
        });
        try (var stream = asking.open(new byte[] {1})) {
            assertThat(stream.next()).isInstanceOf(Incoming.Data.class);
            // However long we look away, no more than the window and a frame has been let go.
            long until = System.nanoTime() + Duration.ofMillis(300).toNanos();
            while (System.nanoTime() < until) {
                assertThat(sent.get()).isLessThanOrEqualTo(LinkLimits.INTERNAL.receiveStart() + 2L * LinkLimits.INTERNAL.maxDataBytes());
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void aQuickReaderIsLetTakeMoreAtATime() throws Exception {
        var sent = new AtomicLong();
        answering((stream, _) -> {
            while (sent.get() < 256 << 20) {
                stream.write(1, ByteBuffer.allocate(10_000));
                sent.addAndGet(10_000);
            }
        });
        try (var stream = asking.open(new byte[] {1})) {
            // However slowly this machine goes, some window's worth is taken quickly enough.
            for (int taken = 0; taken < 64 << 20;) {
                taken += ((Incoming.Data) stream.next()).bytes().remaining();
            }
            long before = sent.get();
            long until = System.nanoTime() + Duration.ofSeconds(10).toNanos();
            // Now nothing is taken, and more than a small window comes.
            long most = 0;
            while (most <= 4L * LinkLimits.INTERNAL.receiveStart() && System.nanoTime() < until) {
                most = sent.get() - (64 << 20);
                Thread.onSpinWait();
            }
            assertThat(most).as("sent by then " + before).isGreaterThan(4L * LinkLimits.INTERNAL.receiveStart());
            assertThat(sent.get() - (64 << 20)).isLessThanOrEqualTo(LinkLimits.INTERNAL.windowBytes() + 2L * LinkLimits.INTERNAL.maxDataBytes());
        }
    }

    @Test
    void readersThatStandStillHoldLittle() throws Exception {
        int count = 2_000;
        var sent = new AtomicLong();
        answering((stream, _) -> {
            byte[] piece = new byte[10_000];
            while (true) {
                stream.write(1, ByteBuffer.wrap(piece));
                sent.addAndGet(piece.length);
            }
        });
        var streams = new java.util.ArrayList<LinkStream>();
        for (int i = 0; i < count; i++) {
            streams.add(asking.open(new byte[] {1}));
        }
        long full = (long) count * LinkLimits.INTERNAL.receiveStart();
        long until = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (sent.get() < full - count * 10_000L && System.nanoTime() < until) {
            Thread.sleep(10);
        }
        assertThat(sent.get()).isBetween(full - count * 10_000L, full);
        streams.forEach(LinkStream::close);
    }

    @Test
    void manySmallFramesWaitInFewObjects() throws Exception {
        var done = new CountDownLatch(1);
        answering((stream, _) -> {
            for (int i = 0; i < 50_000; i++) {
                stream.write(1 + i % 2, ByteBuffer.wrap(new byte[] {(byte) i}));
            }
            done.countDown();
            stream.end(1);
            stream.end(2);
        });
        try (var stream = asking.open(new byte[] {1})) {
            assertThat(done.await(20, TimeUnit.SECONDS)).isTrue();
            int blocks = 0;
            long bytes = 0;
            while (stream.next() instanceof Incoming.Data(int _, ByteBuffer data)) {
                blocks++;
                bytes += data.remaining();
            }
            // One a channel, and a few more where the last ones arrive while we take.
            assertThat(blocks).isLessThanOrEqualTo(1_000);
            assertThat(bytes).isEqualTo(50_000);
        }
    }

    @Test
    void aResetEndsBothSidesAndNothingElse() throws Exception {
        var ended = new CountDownLatch(1);
        answering((stream, opening) -> {
            if (opening[0] == 2) {
                stream.send(new byte[] {42});
                return;
            }
            try {
                stream.next();
            } catch (LinkException e) {
                assertThat(e).hasMessageContaining("enough of this");
                ended.countDown();
                throw e;
            }
        });
        try (var stream = asking.open(new byte[] {1})) {
            stream.reset("enough of this");
            assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
            assertThatThrownBy(stream::next).isInstanceOf(LinkException.class);
        }
        try (var other = asking.open(new byte[] {2})) {
            assertThat(message(other)).containsExactly(42);
        }
    }

    @Test
    void whatArrivedBeforeTheLinkBrokeMayStillBeTaken() throws Exception {
        var answering = answering((stream, _) -> stream.send(new byte[] {9}));
        try (var stream = asking.open(new byte[] {1})) {
            assertThat(message(stream)).containsExactly(9);
            answering.close();
            asking.awaitEnd();
            assertThatThrownBy(() -> asking.open(new byte[] {1})).isInstanceOf(LinkException.class).hasMessageContaining("closed by the other side");
        }
    }

    @Test
    void greetsOnceEachWayAndAnswersPings() throws Exception {
        var answering = answering((_, _) -> {});
        asking.greet(new byte[] {1});
        answering.greet(new byte[] {2});
        assertThat(answering.greeting(Duration.ofSeconds(5))).containsExactly(1);
        assertThat(asking.greeting(Duration.ofSeconds(5))).containsExactly(2);
        asking.ping(Duration.ofSeconds(5));
        answering.greet(new byte[] {3});
        asking.awaitEnd();
        assertThat(asking.over()).contains("a second greeting");
    }

    private static byte[] message(LinkStream stream) throws LinkException, InterruptedException {
        return ((Incoming.Message) stream.next()).bytes();
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
