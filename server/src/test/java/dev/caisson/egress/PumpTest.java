package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PumpTest {
    /// Two ends of one connection over loopback.
    private record Connected(SocketChannel one, SocketChannel other) implements AutoCloseable {
        static Connected make() throws IOException {
            try (var server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
                var one = SocketChannel.open(server.getLocalAddress());
                return new Connected(one, server.accept());
            }
        }

        @Override
        public void close() throws IOException {
            one.close();
            other.close();
        }
    }

    private static <T> FutureTask<T> beside(Callable<T> work) {
        var task = new FutureTask<>(work);
        Thread.ofVirtual().start(task);
        return task;
    }

    private static FutureTask<Void> pump(SocketChannel from, SocketChannel to, PumpBuffers buffers, Pump.Meter meter) {
        return beside(() -> {
            new Pump(from, to, buffers, meter).run();
            return null;
        });
    }

    private static byte[] bytes(int count) {
        byte[] bytes = new byte[count];
        new Random(count).nextBytes(bytes);
        return bytes;
    }

    private static void write(SocketChannel to, byte[] bytes) throws IOException {
        var buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            to.write(buffer);
        }
    }

    private static byte[] readAll(SocketChannel from) throws IOException {
        return from.socket().getInputStream().readAllBytes();
    }

    @Test
    void everyByteArrivesWhateverTheSize() throws Exception {
        for (int size : List.of(0, 1, 2047, 2048, 2049, 16 * 1024, PumpBuffers.SIZE, PumpBuffers.SIZE + 1, 5_000_000)) {
            try (var left = Connected.make(); var right = Connected.make()) {
                var counted = new AtomicLong();
                var pump = pump(left.other(), right.one(), new PumpBuffers(1), counted::addAndGet);
                var read = beside(() -> readAll(right.other()));
                write(left.one(), bytes(size));
                left.one().shutdownOutput();
                assertThat(Arrays.equals(read.get(), bytes(size))).as("%s bytes", size).isTrue();
                pump.get(10, TimeUnit.SECONDS);
                assertThat(counted).hasValue(size);
            }
        }
    }

    @Test
    void eitherSideMayEndFirstWhileTheOtherGoesOn() throws Exception {
        for (boolean clientFirst : List.of(true, false)) {
            try (var left = Connected.make(); var right = Connected.make()) {
                var buffers = new PumpBuffers(2);
                var there = pump(left.other(), right.one(), buffers, _ -> {});
                var back = pump(right.one(), left.other(), buffers, _ -> {});
                var first = clientFirst ? left.one() : right.other();
                var second = clientFirst ? right.other() : left.one();
                write(first, bytes(10));
                first.shutdownOutput();
                assertThat(readAll(second)).isEqualTo(bytes(10));
                (clientFirst ? there : back).get(10, TimeUnit.SECONDS);
                // Long after, the other way round.
                write(second, bytes(100_000));
                second.shutdownOutput();
                assertThat(readAll(first)).isEqualTo(bytes(100_000));
                (clientFirst ? back : there).get(10, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void busyConnectionsWithoutALargeBufferGoOnWithTheirOwn() throws Exception {
        var buffers = new PumpBuffers(1);
        var lent = buffers.take();
        assertThat(lent).isPresent();
        assertThat(buffers.take()).isEmpty();
        try (var left = Connected.make(); var right = Connected.make()) {
            var pump = pump(left.other(), right.one(), buffers, _ -> {});
            var read = beside(() -> readAll(right.other()));
            write(left.one(), bytes(300_000));
            left.one().shutdownOutput();
            assertThat(Arrays.equals(read.get(), bytes(300_000))).isTrue();
            pump.get(10, TimeUnit.SECONDS);
        }
        buffers.giveBack(lent.get());
        assertThat(buffers.take()).isPresent();
        assertThat(buffers.take()).isEmpty();
    }

    @Test
    void largeBuffersComeBackHoweverAConnectionEnds() throws Exception {
        var buffers = new PumpBuffers(3);
        var tasks = new ArrayList<FutureTask<Void>>();
        for (int i = 0; i < 12; i++) {
            var left = Connected.make();
            var right = Connected.make();
            var pump = pump(left.other(), right.one(), buffers, _ -> {});
            tasks.add(pump);
            beside(() -> readAll(right.other()));
            write(left.one(), bytes(100_000));
            switch (i % 3) {
                case 0 -> left.one().close();
                case 1 -> {
                    // Reset, as a client that crashes.
                    left.one().setOption(StandardSocketOptions.SO_LINGER, 0);
                    left.one().close();
                }
                default -> {
                    right.one().close();
                    left.one().close();
                }
            }
            try {
                pump.get(10, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                assertThat(e).hasCauseInstanceOf(IOException.class);
            }
            left.close();
            right.close();
        }
        assertThat(tasks).allMatch(FutureTask::isDone);
        for (int i = 0; i < 3; i++) {
            assertThat(buffers.take()).as("buffer %s", i).isPresent();
        }
        assertThat(buffers.take()).isEmpty();
    }

    @Test
    void whatTheMeterRefusesDoesNotGoOn() throws Exception {
        try (var left = Connected.make(); var right = Connected.make()) {
            var buffers = new PumpBuffers(1);
            var counted = new AtomicLong();
            var pump = pump(left.other(), right.one(), buffers, count -> {
                if (counted.addAndGet(count) > 10_000) {
                    throw new IOException("enough");
                }
            });
            var read = beside(() -> readAll(right.other()));
            write(left.one(), bytes(60_000));
            assertThatThrownBy(() -> pump.get(10, TimeUnit.SECONDS)).hasRootCauseMessage("enough");
            right.one().close();
            assertThat(read.get().length).isLessThanOrEqualTo(10_000);
            assertThat(buffers.take()).isPresent();
        }
    }
}
