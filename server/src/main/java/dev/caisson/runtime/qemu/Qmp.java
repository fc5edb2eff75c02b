package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.Serial;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Queue;
import java.util.function.Predicate;

/// A conversation with a QEMU's monitor (QMP). Commands are constant texts, sent without waiting for the one before; QEMU obeys them in their order.
///
/// Threads: one at a time.
/// Cleanup: [#close] hangs up; the machine goes on.
final class Qmp implements AutoCloseable {
    static final String NEGOTIATE = "{\"execute\":\"qmp_capabilities\"}";
    /// Memory is a file that whoever restores has, so the state is the rest; and the state's transfer is told about.
    static final String STATE_WITHOUT_MEMORY = "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":["
            + "{\"capability\":\"x-ignore-shared\",\"state\":true},{\"capability\":\"events\",\"state\":true}]}}";
    static final String RECEIVE_FROM_INPUT = "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:0\"}}";
    static final String STOP = "{\"execute\":\"stop\"}";
    static final String CONTINUE = "{\"execute\":\"cont\"}";

    private static final String QUIT = "{\"execute\":\"quit\"}";
    /// The longest line of a well-behaved QEMU is its greeting, of some 200 bytes.
    static final int MAX_LINE_BYTES = 64 * 1024;
    /// A well-behaved QEMU says at most a dozen things before what is waited for.
    static final int MAX_LINES = 1000;

    private static final class HungUpException extends IOException {
        @Serial
        private static final long serialVersionUID = 1;

        HungUpException(IOException cause) {
            super("QEMU's monitor hung up", cause);
        }
    }

    private final SocketChannel channel;
    private final Selector selector;
    private final ByteBuffer read = ByteBuffer.allocate(MAX_LINE_BYTES).flip();
    private final Queue<Said> unheard = new ArrayDeque<>();
    private int lines;

    /// @param channel connected; belongs to this from now on
    Qmp(SocketChannel channel) throws IOException {
        this.channel = channel;
        channel.configureBlocking(false);
        selector = Selector.open();
        channel.register(selector, SelectionKey.OP_READ);
    }

    /// A command by which the state goes to a socket that listens.
    static String sendTo(String path) {
        return "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:" + path + "\"}}";
    }

    /// Has it obey all of them, in that order. Events that come in between are kept for [#await].
    ///
    /// Errors: an [IOException] with QEMU's reason when it refuses one; then those behind it may have been obeyed.
    void obey(Deadline deadline, String... commands) throws IOException {
        send(String.join("\n", commands) + "\n");
        for (String command : commands) {
            Said answer = next(deadline);
            while (!(answer instanceof Said.Done)) {
                if (answer instanceof Said.Refused(var why)) {
                    throw new IOException("QEMU refuses " + command + ": " + why);
                }
                if (answer instanceof Said.Event && unheard.size() < MAX_LINES) {
                    unheard.add(answer);
                }
                answer = next(deadline);
            }
        }
    }

    /// Ends QEMU and waits until it hangs up: one that is hung up upon forgets what it was asked.
    void quit(Deadline deadline) throws IOException {
        send(QUIT + "\n");
        try {
            while (true) {
                next(deadline);
            }
        } catch (HungUpException _) {
            // As it should.
        }
    }

    /// Waits for an event.
    ///
    /// Errors: an [IOException] when a migration fails meanwhile, when QEMU hangs up, and when it is over its time.
    void await(Deadline deadline, Predicate<Said.Event> wanted) throws IOException {
        while (true) {
            Said said = unheard.isEmpty() ? next(deadline) : unheard.remove();
            if (said instanceof Said.Event event) {
                if (event.status().equals("failed")) {
                    throw new IOException("QEMU could not move the machine's state");
                }
                if (wanted.test(event)) {
                    return;
                }
            }
        }
    }

    private void send(String text) throws IOException {
        var bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        // A few hundred bytes: a peer that does not take them at once does not read at all.
        while (bytes.hasRemaining()) {
            if (write(bytes) == 0) {
                throw new IOException("QEMU's monitor does not read");
            }
        }
    }

    private int write(ByteBuffer bytes) throws IOException {
        try {
            return channel.write(bytes);
        } catch (IOException e) {
            throw new HungUpException(e);
        }
    }

    private Said next(Deadline deadline) throws IOException {
        if (++lines > MAX_LINES) {
            throw new IOException("QEMU's monitor says too much");
        }
        return Said.read(line(deadline));
    }

    private byte[] line(Deadline deadline) throws IOException {
        int looked = 0;
        while (true) {
            for (; looked < read.remaining(); looked++) {
                if (read.get(read.position() + looked) == '\n') {
                    byte[] line = Arrays.copyOfRange(read.array(), read.position(), read.position() + looked);
                    read.position(read.position() + looked + 1);
                    return line;
                }
            }
            if (looked == MAX_LINE_BYTES) {
                throw new IOException("QEMU's monitor said a line of more than " + MAX_LINE_BYTES + " bytes");
            }
            fill(deadline);
        }
    }

    private void fill(Deadline deadline) throws IOException {
        read.compact();
        try {
            int count = channel.read(read);
            while (count == 0) {
                selector.select(deadline.millis());
                selector.selectedKeys().clear();
                if (Thread.currentThread().isInterrupted()) {
                    throw new InterruptedIOException("interrupted");
                }
                count = channel.read(read);
            }
            if (count < 0) {
                throw new SocketException("closed");
            }
        } catch (SocketException e) {
            throw new HungUpException(e);
        } finally {
            read.flip();
        }
    }

    @Override
    public void close() throws IOException {
        selector.close();
        channel.close();
    }
}
