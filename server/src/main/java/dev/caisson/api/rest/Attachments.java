package dev.caisson.api.rest;

import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/// The command streams that are open in this door, so that another request can give input to one.
///
/// Threads: safe for many.
final class Attachments {
    /// Open streams at a time, over all sandboxes.
    static final int MAX = 16_384;
    private static final Duration TURN = Duration.ofSeconds(5);

    private record Name(SandboxId sandbox, CommandId command) {}

    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Name, Deque<Attachment>> open = new HashMap<>();
    private int count;

    /// Takes a place for a stream that is about to be opened; [Place#close] gives it back.
    ///
    /// Errors: [Failure.Code#TOO_MANY].
    Place place() {
        lock.lock();
        try {
            if (count >= MAX) {
                throw Failure.Code.TOO_MANY.with("there are " + MAX + " command streams open", "close some, or wait for commands to end");
            }
            count++;
            return new Place();
        } finally {
            lock.unlock();
        }
    }

    /// The newest open stream of a command.
    Optional<Attachment> find(SandboxId sandbox, CommandId command) {
        lock.lock();
        try {
            return Optional.ofNullable(open.get(new Name(sandbox, command))).map(Deque::getLast);
        } finally {
            lock.unlock();
        }
    }

    int count() {
        lock.lock();
        try {
            return count;
        } finally {
            lock.unlock();
        }
    }

    final class Place implements AutoCloseable {
        /// Makes the stream known under its name until closed.
        Attachment attach(SandboxId sandbox, CommandId command, CommandStream stream) {
            var attachment = new Attachment(new Name(sandbox, command), stream);
            lock.lock();
            try {
                open.computeIfAbsent(attachment.name, _ -> new ArrayDeque<>()).addLast(attachment);
            } finally {
                lock.unlock();
            }
            return attachment;
        }

        @Override
        public void close() {
            lock.lock();
            try {
                count--;
            } finally {
                lock.unlock();
            }
        }
    }

    /// One open stream. Its input belongs to one writer at a time.
    final class Attachment implements AutoCloseable {
        private final Name name;
        private final CommandStream stream;
        private final ReentrantLock input = new ReentrantLock();
        private volatile boolean closed;

        private Attachment(Name name, CommandStream stream) {
            this.name = name;
            this.stream = stream;
        }

        boolean isOpen() {
            return !closed;
        }

        /// Waits a little for the turn to write; whoever gets it calls [#doneWriting].
        ///
        /// Errors: [Failure.Code#WRONG_STATE] when another request is still writing.
        CommandStream takeInput() throws InterruptedException {
            if (!input.tryLock(TURN.toMillis(), TimeUnit.MILLISECONDS)) {
                throw Failure.Code.WRONG_STATE.with("another request is writing to the input of " + name.command, "send one body at a time");
            }
            return stream;
        }

        void doneWriting() {
            input.unlock();
        }

        SandboxException ended() {
            return Failure.Code.WRONG_STATE.with("the stream of " + name.command + " was closed before it took all of its input", "attach to it again if it still runs");
        }

        @Override
        public void close() {
            closed = true;
            lock.lock();
            try {
                Deque<Attachment> siblings = open.get(name);
                if (siblings != null && siblings.remove(this) && siblings.isEmpty()) {
                    open.remove(name);
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
