package dev.caisson.link;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Many streams over one byte stream; docs/link.md has the wire.
///
/// Every frame of the other side is treated as hostile: bounded, typed, and whoever breaks a rule is cut off.
/// Threads: safe for many; one platform thread reads, so that bytes that arrive wake one thread instead of three; whoever sends writes.
/// Cleanup: close ends every stream and the socket; safe to call twice.
public final class Link implements AutoCloseable {
    static final byte[] NO_BYTES = new byte[0];
    static final ByteBuffer EMPTY = ByteBuffer.allocate(0);
    private static final byte[] PREFACE = "CAISSON1".getBytes(StandardCharsets.US_ASCII);
    /// Frames up to here are copied behind their header and written in one call.
    private static final int SMALL_FRAME_BYTES = 2048;
    /// Header and small payloads are read through a buffer of this size; larger payloads go straight to where they are kept.
    private static final int READ_BUFFER_BYTES = 4096;
    /// Frames that need not hurry may wait together up to this size.
    private static final int UNHURRIED_BYTES = 512;
    /// What it grows to on a link that is busy with small frames; an idle one stays small, because there are many.
    private static final int MAX_READ_BUFFER_BYTES = 1 << 16;

    /// Which side of the connection this is; it decides the ids of the streams it opens.
    public enum Side {
        LISTENED,
        DIALED
    }

    /// Takes a stream that the other side opened. Called on a virtual thread of its own.
    @FunctionalInterface
    public interface Acceptor {
        void accept(LinkStream stream, byte[] opening) throws IOException, InterruptedException;
    }

    private final SocketChannel channel;
    private final LinkLimits limits;
    private final Side side;
    private final @Nullable Acceptor acceptor;
    private final String name;

    private final ReentrantLock writing = new ReentrantLock();
    private final ByteBuffer small = ByteBuffer.allocate(FrameHeader.BYTES + SMALL_FRAME_BYTES);
    private final ByteBuffer header = ByteBuffer.allocate(FrameHeader.BYTES);
    private final ByteBuffer unhurried = ByteBuffer.allocate(UNHURRIED_BYTES);

    private final Map<Integer, LinkStream> streams = new HashMap<>();
    /// Bytes by which windows may still grow.
    private int spare;
    private int lastOpenedByUs;
    private int lastOpenedByPeer;
    private @Nullable String over;
    private final CountDownLatch ended = new CountDownLatch(1);
    /// Greetings on stream 0 and pongs: one of each may wait.
    private final ArrayBlockingQueue<byte[]> greetings = new ArrayBlockingQueue<>(1);
    private final ArrayBlockingQueue<byte[]> pongs = new ArrayBlockingQueue<>(1);
    private boolean greeted;

    private Link(SocketChannel channel, Side side, LinkLimits limits, @Nullable Acceptor acceptor, String name) {
        this.channel = channel;
        this.side = side;
        this.limits = limits;
        this.spare = limits.spareBytes();
        this.acceptor = acceptor;
        this.name = name;
        this.lastOpenedByUs = side == Side.LISTENED ? 0 : -1;
    }

    /// Starts a link over a connected socket. `acceptor` is null where the other side may not open streams.
    ///
    /// @param name for thread names and messages
    public static Link start(SocketChannel channel, Side side, LinkLimits limits, @Nullable Acceptor acceptor, String name) throws LinkException {
        var link = new Link(channel, side, limits, acceptor, name);
        link.writeAll(ByteBuffer.wrap(PREFACE));
        Thread.ofPlatform().daemon().name("link-" + name).start(link::readAll);
        return link;
    }

    /// Opens a stream with its first message.
    public LinkStream open(byte[] opening) throws LinkException {
        if (opening.length == 0 || opening.length > limits.maxMessageBytes()) {
            throw new LinkException("a request of " + opening.length + " bytes is longer than the " + limits.maxMessageBytes() + " a link carries");
        }
        // The id must reach the wire in the order it was taken, so both happen under the writing lock.
        writing.lock();
        try {
            LinkStream stream;
            synchronized (streams) {
                refuseWhenOver();
                if (streams.size() >= limits.maxStreams()) {
                    throw new LinkException("more than " + limits.maxStreams() + " streams at a time");
                }
                lastOpenedByUs += 2;
                stream = new LinkStream(this, lastOpenedByUs, limits);
                streams.put(lastOpenedByUs, stream);
            }
            write(FrameKind.OPEN, stream.id(), 0, ByteBuffer.wrap(opening));
            return stream;
        } finally {
            writing.unlock();
        }
    }

    /// Sends the one message that this side may send on stream 0.
    public void greet(byte[] message) throws LinkException {
        write(FrameKind.DATA, 0, 0, ByteBuffer.wrap(message));
    }

    /// The other side's message on stream 0.
    public byte[] greeting(Duration atMost) throws LinkException, InterruptedException {
        return awaited(greetings, atMost, "greeting");
    }

    /// Asks for a sign of life and waits for it. One at a time.
    public void ping(Duration atMost) throws LinkException, InterruptedException {
        pongs.clear();
        write(FrameKind.PING, 0, 0, ByteBuffer.allocate(8));
        awaited(pongs, atMost, "sign of life");
    }

    private byte[] awaited(ArrayBlockingQueue<byte[]> queue, Duration atMost, String what) throws LinkException, InterruptedException {
        long deadline = System.nanoTime() + atMost.toNanos();
        // In short turns, so that the end of the link is noticed without a poison pill.
        while (true) {
            byte[] message = queue.poll(Math.min(20_000_000, Math.max(1, deadline - System.nanoTime())), TimeUnit.NANOSECONDS);
            if (message != null) {
                return message;
            }
            synchronized (streams) {
                refuseWhenOver();
            }
            if (System.nanoTime() - deadline >= 0) {
                throw new LinkException("no " + what + " within " + atMost.toMillis() + " ms");
            }
        }
    }

    /// Why the link is over; empty while it lives.
    public Optional<String> over() {
        synchronized (streams) {
            return Optional.ofNullable(over);
        }
    }

    /// Waits until the link is over.
    public void awaitEnd() throws InterruptedException {
        ended.await();
    }

    @Override
    public void close() {
        end("closed by us");
    }

    void forget(LinkStream stream) {
        synchronized (streams) {
            if (streams.remove(stream.id()) != null) {
                spare += stream.spare();
            }
        }
    }

    /// Gives a stream that lives up to so many bytes of what there is to spare, until it is over; answers how many.
    int spare(LinkStream stream, int wanted) {
        synchronized (streams) {
            int given = streams.get(stream.id()) == stream ? Math.min(wanted, spare) : 0;
            spare -= given;
            stream.addSpare(given);
            return given;
        }
    }

    void writeReset(int stream, String reason) {
        byte[] text = reason.getBytes(StandardCharsets.UTF_8);
        try {
            write(FrameKind.RESET, stream, 0, ByteBuffer.wrap(text, 0, Math.min(text.length, 1024)));
        } catch (LinkException _) {
            // The link is over, and the stream with it.
        }
    }

    /// One frame on its way out.
    record Frame(FrameKind kind, int stream, int channel, ByteBuffer payload) {
        static Frame close(int stream) {
            return new Frame(FrameKind.CLOSE, stream, 0, EMPTY);
        }

        FrameHeader header() {
            return new FrameHeader(payload.remaining(), stream, kind, channel);
        }

        int bytes() {
            return FrameHeader.BYTES + payload.remaining();
        }
    }

    void write(FrameKind kind, int stream, int onChannel, ByteBuffer payload) throws LinkException {
        write(new Frame(kind, stream, onChannel, payload));
    }

    /// Writes frames one behind the other: small ones in one call, so that the other side wakes once for all of them.
    void write(Frame... frames) throws LinkException {
        writing.lock();
        try {
            small.clear();
            small.put(unhurried.flip());
            unhurried.clear();
            for (Frame frame : frames) {
                if (frame.bytes() > small.remaining()) {
                    writeAll(small.flip());
                    small.clear();
                }
                if (frame.bytes() <= small.remaining()) {
                    frame.header().write(small);
                    small.put(frame.payload());
                } else {
                    header.clear();
                    frame.header().write(header);
                    writeAll(header.flip(), frame.payload());
                }
            }
            writeAll(small.flip());
        } finally {
            writing.unlock();
        }
    }

    /// Writes a small frame together with whatever is written next, however late that is: for what the other side only keeps its books by.
    void writeUnhurried(Frame frame) throws LinkException {
        writing.lock();
        try {
            if (frame.bytes() > unhurried.remaining()) {
                write(frame);
            } else {
                frame.header().write(unhurried);
                unhurried.put(frame.payload());
            }
        } finally {
            writing.unlock();
        }
    }

    private void writeAll(ByteBuffer... buffers) throws LinkException {
        // An interrupt is about what its thread does, and the channel, which NIO closes under an interrupted writer, is everybody's.
        boolean interrupted = Thread.interrupted();
        try {
            long left = 0;
            for (ByteBuffer buffer : buffers) {
                left += buffer.remaining();
            }
            while (left > 0) {
                left -= buffers.length == 1 ? channel.write(buffers[0]) : channel.write(buffers);
            }
        } catch (IOException e) {
            end("broken: " + e);
            throw new LinkException("link " + name + " is broken: " + e, e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void readAll() {
        String reason;
        try {
            ByteBuffer in = ByteBuffer.allocate(READ_BUFFER_BYTES).limit(0);
            byte[] preface = read(in, PREFACE.length);
            if (!Arrays.equals(preface, PREFACE)) {
                throw new LinkException("the other side does not speak this protocol");
            }
            while (true) {
                in = grownWhenFull(in);
                fill(in, FrameHeader.BYTES);
                var frame = FrameHeader.read(in, limits);
                handle(frame, read(in, frame.length()));
            }
        } catch (EOFException _) {
            reason = "closed by the other side";
        } catch (IOException e) {
            reason = String.valueOf(e.getMessage());
        }
        end(reason);
    }

    private void handle(FrameHeader frame, byte[] payload) throws LinkException {
        switch (frame.kind()) {
            case PING -> write(FrameKind.PONG, 0, 0, ByteBuffer.wrap(payload));
            case PONG -> pongs.offer(payload);
            case OPEN -> opened(frame.stream(), payload);
            case DATA, CREDIT, END, RESET, CLOSE -> {
                if (frame.stream() == 0) {
                    if (greeted) {
                        throw new LinkException("a second greeting");
                    }
                    greeted = true;
                    greetings.add(payload);
                    return;
                }
                Optional<LinkStream> stream = find(frame.stream());
                if (stream.isPresent()) {
                    stream.get().arrived(frame, payload);
                    if (stream.get().isOver()) {
                        forget(stream.get());
                    }
                }
            }
        }
    }

    /// The stream of that id; empty when it is over already. A stream that never was is a broken rule.
    private Optional<LinkStream> find(int id) throws LinkException {
        synchronized (streams) {
            var stream = streams.get(id);
            boolean ours = (id & 1) == (side == Side.LISTENED ? 0 : 1);
            if (stream == null && id > (ours ? lastOpenedByUs : lastOpenedByPeer)) {
                throw new LinkException("a frame for stream " + id + " that was never opened");
            }
            return Optional.ofNullable(stream);
        }
    }

    private void opened(int id, byte[] opening) throws LinkException {
        var accepts = acceptor;
        boolean theirs = (id & 1) == (side == Side.LISTENED ? 1 : 0);
        LinkStream stream;
        synchronized (streams) {
            if (accepts == null || !theirs || id <= lastOpenedByPeer) {
                throw new LinkException("the other side may not open stream " + id);
            }
            if (streams.size() >= limits.maxStreams()) {
                throw new LinkException("more than " + limits.maxStreams() + " streams at a time");
            }
            lastOpenedByPeer = id;
            stream = new LinkStream(this, id, limits);
            streams.put(id, stream);
        }
        Thread.ofVirtual().name("stream-" + name + "-" + id).start(() -> serve(stream, accepts, opening));
    }

    private static void serve(LinkStream stream, Acceptor accepts, byte[] opening) {
        boolean served = false;
        try {
            accepts.accept(stream, opening);
            stream.finish();
            stream.ignoreRest();
            served = true;
        } catch (IOException _) {
            // The stream or the link is over: the other side knows.
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } finally {
            if (!served) {
                stream.close();
            }
        }
    }

    private byte[] read(ByteBuffer in, int bytes) throws IOException {
        byte[] into = new byte[bytes];
        int buffered = Math.min(bytes, in.remaining());
        in.get(into, 0, buffered);
        if (bytes - buffered >= READ_BUFFER_BYTES) {
            var rest = ByteBuffer.wrap(into, buffered, bytes - buffered);
            while (rest.hasRemaining()) {
                readSome(rest);
            }
        } else if (bytes > buffered) {
            fill(in, bytes - buffered);
            in.get(into, buffered, bytes - buffered);
        }
        return into;
    }

    /// A buffer that the last read has filled was too small.
    private static ByteBuffer grownWhenFull(ByteBuffer in) {
        if (in.limit() < in.capacity() || in.capacity() >= MAX_READ_BUFFER_BYTES) {
            return in;
        }
        return ByteBuffer.allocate(in.capacity() * 4).put(in).flip();
    }

    /// Reads until at least so many bytes are in the buffer.
    private void fill(ByteBuffer in, int bytes) throws IOException {
        if (in.remaining() < bytes) {
            in.compact();
            while (in.position() < bytes) {
                readSome(in);
            }
            in.flip();
        }
    }

    private void readSome(ByteBuffer into) throws IOException {
        if (channel.read(into) < 0) {
            throw new EOFException();
        }
    }

    private void end(String reason) {
        ArrayList<LinkStream> open;
        synchronized (streams) {
            if (over != null) {
                return;
            }
            over = reason;
            open = new ArrayList<>(streams.values());
            streams.clear();
        }
        try {
            channel.close();
        } catch (IOException _) {
            // Nothing is left to save.
        }
        open.forEach(stream -> stream.linkLost("link " + name + " is over: " + reason));
        ended.countDown();
    }

    private void refuseWhenOver() throws LinkException {
        if (over != null) {
            throw new LinkException("link " + name + " is over: " + over);
        }
    }
}
