package dev.caisson.fake;

import dev.caisson.sandbox.CommandEvent.Channel;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.TerminalSize;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// A command of a fake sandbox. An ordinary program is a child process; these are canned:
/// `@flood N` writes N bytes of zeros at once, as fast as they are taken; `@true` ends at once; `@silent` does nothing until a signal; `@crash` starts, then fails as a guest does.
public final class FakeCommand {
    private static final Instant STARTED = Instant.parse("2026-03-04T05:06:08Z");
    private static final int KEPT = 256 * 1024;
    private static final int QUEUED = 128 * 1024;
    private static final byte[] ZEROS = new byte[64 * 1024];

    private final CommandId id;
    private final CommandSpec spec;
    private final @Nullable Process process;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Tape stdout = new Tape();
    private final Tape stderr = new Tape();
    private final AtomicInteger attached = new AtomicInteger();
    private final AtomicLong taken = new AtomicLong();
    private @Nullable CommandResult result;
    private boolean crashed;
    private boolean inputClosed;
    private volatile @Nullable TerminalSize size;

    /// What one channel wrote: the last bytes of it, and where they start.
    private static final class Tape {
        final ArrayDeque<byte[]> pieces = new ArrayDeque<>();
        long start;
        long end;
        long delivered;
    }

    private FakeCommand(CommandId id, CommandSpec spec, @Nullable Process process) {
        this.id = id;
        this.spec = spec;
        this.process = process;
    }

    private Tape tape(Channel channel) {
        return channel == Channel.STDOUT ? stdout : stderr;
    }

    static FakeCommand start(CommandId id, CommandSpec spec, Path directory) {
        String program = spec.argv().getFirst();
        if (program.startsWith("@")) {
            var command = new FakeCommand(id, spec, null);
            command.startCanned();
            return command;
        }
        try {
            var builder = new ProcessBuilder(spec.argv()).directory(spec.cwd().isEmpty() ? directory.toFile() : Path.of(spec.cwd()).toFile());
            builder.environment().putAll(spec.env());
            Process process = builder.start();
            var command = new FakeCommand(id, spec, process);
            command.pump(process);
            return command;
        } catch (IOException e) {
            throw Failure.Code.PROGRAM_NOT_FOUND.with("there is no program '" + Failure.shown(program) + "'", "name one of the template", e);
        }
    }

    private void startCanned() {
        switch (spec.argv().getFirst()) {
            case "@flood" -> {
                long bytes = Long.parseLong(spec.argv().get(1));
                Thread.ofVirtual().start(() -> {
                    for (long left = bytes; left > 0; left -= ZEROS.length) {
                        write(Channel.STDOUT, left >= ZEROS.length ? ZEROS : new byte[(int) left]);
                    }
                    end(CommandResult.Outcome.EXITED, 0);
                });
            }
            case "@true" -> end(CommandResult.Outcome.EXITED, 0);
            case "@crash" -> {
                lock.lock();
                crashed = true;
                lock.unlock();
            }
            default -> {
                // Silent.
            }
        }
    }

    private void pump(Process child) {
        try {
            if (!spec.stdin()) {
                child.getOutputStream().close();
            }
        } catch (IOException _) {
            // It ended already.
        }
        Thread out = Thread.ofPlatform().start(() -> pump(Channel.STDOUT, child.getInputStream()));
        Thread err = Thread.ofPlatform().start(() -> pump(Channel.STDERR, child.getErrorStream()));
        Thread.ofPlatform().start(() -> {
            try {
                boolean inTime = child.waitFor(spec.timeout().toMillis(), TimeUnit.MILLISECONDS);
                if (!inTime) {
                    child.destroyForcibly().waitFor();
                }
                out.join();
                err.join();
                int status = child.exitValue();
                end(!inTime ? CommandResult.Outcome.TIMED_OUT : status > 128 ? CommandResult.Outcome.SIGNALED : CommandResult.Outcome.EXITED, inTime ? status : 124);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    private void pump(Channel channel, InputStream in) {
        try (in) {
            byte[] buffer = new byte[64 * 1024];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                write(channel, Arrays.copyOf(buffer, count));
            }
        } catch (IOException _) {
            // The process was killed.
        }
    }

    private void write(Channel channel, byte[] bytes) {
        lock.lock();
        try {
            Tape tape = tape(channel);
            while (tape.end - tape.delivered >= QUEUED && result == null && !(spec.unread() == CommandSpec.Unread.DROP && attached.get() == 0)) {
                changed.awaitUninterruptibly();
            }
            tape.pieces.addLast(bytes);
            tape.end += bytes.length;
            while (tape.end - tape.start - tape.pieces.getFirst().length > KEPT) {
                tape.start += tape.pieces.removeFirst().length;
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void end(CommandResult.Outcome outcome, int status) {
        lock.lock();
        try {
            if (result == null) {
                result = new CommandResult(outcome, status, Duration.ofMillis(12), Duration.ofMillis(3));
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    CommandId id() {
        return id;
    }

    CommandInfo info() {
        lock.lock();
        try {
            var env = result == null ? spec.env() : Map.<String, String>of();
            return new CommandInfo(id, spec.argv(), pid(), STARTED, Optional.ofNullable(result), spec.cwd(), env, spec.tag(), spec.terminal().isPresent());
        } finally {
            lock.unlock();
        }
    }

    private int pid() {
        return process == null ? 99 : (int) process.pid();
    }

    void signal(int signal) {
        if (process == null) {
            end(CommandResult.Outcome.SIGNALED, 128 + signal);
        } else if (signal == 9) {
            process.destroyForcibly();
        } else {
            process.destroy();
        }
    }

    void kill() {
        if (process != null) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        end(CommandResult.Outcome.SANDBOX_GONE, 137);
    }

    void resize(TerminalSize now) {
        size = now;
    }

    public @Nullable TerminalSize size() {
        return size;
    }

    /// Streams that are open on it.
    public int attached() {
        return attached.get();
    }

    /// Bytes that streams took.
    public long taken() {
        return taken.get();
    }

    CommandStream attach(long stdoutOffset, long stderrOffset) {
        lock.lock();
        try {
            long[] offsets = {stdoutOffset, stderrOffset};
            for (Channel channel : Channel.values()) {
                Tape tape = tape(channel);
                if (offsets[channel.ordinal()] == CommandStream.FROM_NOW) {
                    offsets[channel.ordinal()] = tape.end;
                } else if (offsets[channel.ordinal()] == CommandStream.FROM_KEPT) {
                    offsets[channel.ordinal()] = tape.start;
                }
                if (offsets[channel.ordinal()] < tape.start) {
                    throw Failure.Code.OUTPUT_LOST.with("the output before byte " + tape.start + " is gone", "attach from there");
                }
            }
            attached.incrementAndGet();
            return new Stream(offsets);
        } finally {
            lock.unlock();
        }
    }

    /// Gives input, as a call or on a stream.
    void input(ByteBuffer data) {
        lock.lock();
        try {
            if (process == null || !spec.stdin() || inputClosed || result != null) {
                throw Failure.Code.WRONG_STATE.with("the input of " + id + " is closed", "start it with stdin");
            }
        } finally {
            lock.unlock();
        }
        byte[] bytes = new byte[data.remaining()];
        data.get(bytes);
        try {
            process.getOutputStream().write(bytes);
            process.getOutputStream().flush();
        } catch (IOException e) {
            throw Failure.Code.WRONG_STATE.with("the command " + id + " has ended", "start another one", e);
        }
    }

    void endInput() {
        lock.lock();
        try {
            inputClosed = true;
        } finally {
            lock.unlock();
        }
        try {
            if (process != null) {
                process.getOutputStream().close();
            }
        } catch (IOException _) {
            // It has ended.
        }
    }

    private final class Stream implements CommandStream {
        private final long[] offsets;
        private boolean started;
        private boolean closed;

        Stream(long[] offsets) {
            this.offsets = offsets;
        }

        @Override
        public CommandEvent next() throws InterruptedException {
            if (!started) {
                started = true;
                return new CommandEvent.Started(id, pid());
            }
            lock.lockInterruptibly();
            try {
                while (true) {
                    if (closed) {
                        throw Failure.Code.NODE_UNREACHABLE.with("the stream was closed", "attach again");
                    }
                    if (crashed) {
                        throw Failure.Code.GUEST_FAILED.with("the agent went away", "make another sandbox");
                    }
                    for (Channel channel : Channel.values()) {
                        ByteBuffer data = piece(tape(channel), offsets[channel.ordinal()]);
                        if (data != null) {
                            long offset = offsets[channel.ordinal()];
                            offsets[channel.ordinal()] += data.remaining();
                            taken.addAndGet(data.remaining());
                            tape(channel).delivered = Math.max(tape(channel).delivered, offsets[channel.ordinal()]);
                            changed.signalAll();
                            return new CommandEvent.Output(channel, offset, data);
                        }
                    }
                    if (result != null) {
                        return new CommandEvent.Ended(result);
                    }
                    changed.await();
                }
            } finally {
                lock.unlock();
            }
        }

        private static @Nullable ByteBuffer piece(Tape tape, long offset) {
            long at = tape.start;
            for (byte[] piece : tape.pieces) {
                if (offset < at + piece.length) {
                    int skip = (int) (offset - at);
                    return ByteBuffer.wrap(piece, skip, piece.length - skip).slice();
                }
                at += piece.length;
            }
            return null;
        }

        @Override
        public boolean isReady() {
            lock.lock();
            try {
                boolean anyOutput = piece(stdout, offsets[0]) != null || piece(stderr, offsets[1]) != null;
                return !started || crashed || result != null || anyOutput;
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void write(ByteBuffer data) {
            input(data);
        }

        @Override
        public void closeInput() {
            endInput();
        }

        @Override
        public void close() {
            lock.lock();
            try {
                if (!closed) {
                    closed = true;
                    attached.decrementAndGet();
                    changed.signalAll();
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
