package dev.caisson.egress;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Passes the content of one message on, piece by piece; what has been read is not held back while nothing more is there.
///
/// Threads: one copies, another may wait for it.
final class Copying {
    private static final int PIECE = 16 * 1024;
    /// Once much comes at a time.
    private static final int LARGE_PIECE = 64 * 1024;

    private final BodySource source;
    private final Optional<Replacer> through;
    private final BodySink sink;
    private boolean reading;
    private @Nullable IOException failure;
    private @Nullable Thread thread;

    Copying(BodySource source, Optional<Replacer> through, BodySink sink) {
        this.source = source;
        this.through = through;
        this.sink = sink;
    }

    void run() throws IOException {
        byte[] piece = new byte[PIECE];
        Replacer replacer = through.orElse(null);
        reading = true;
        for (int count = source.read(piece, 0, piece.length); count >= 0; count = source.read(piece, 0, piece.length)) {
            boolean more = source.hasMore();
            reading = false;
            if (replacer == null) {
                sink.write(piece, 0, count);
            } else {
                replacer.write(piece, 0, count, sink);
            }
            if (!more) {
                sink.flush();
            }
            if (count == PIECE && piece.length == PIECE) {
                piece = new byte[LARGE_PIECE];
            }
            reading = true;
        }
        reading = false;
        if (replacer != null) {
            replacer.end(sink);
        }
        sink.end();
    }

    /// Copies now, or beside the caller; how it ended is asked for later.
    ///
    /// @param unreadable called when reading failed, not when writing did
    void start(boolean beside, Runnable unreadable) {
        Runnable copy = () -> {
            try {
                run();
            } catch (IOException e) {
                failure = e;
                if (reading) {
                    unreadable.run();
                }
            }
        };
        if (beside) {
            thread = Thread.ofVirtual().name("egress-content").start(copy);
        } else {
            copy.run();
        }
    }

    /// True once it has ended, well or not.
    boolean hasEndedWithin(Duration patience) throws IOException {
        Thread beside = thread;
        try {
            return beside == null || beside.join(patience);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /// Of a copying that has ended: everything was read and written.
    boolean isWhole() {
        return failure == null;
    }

    /// Of a copying that has ended: why reading failed.
    Optional<IOException> unreadable() {
        return reading ? Optional.ofNullable(failure) : Optional.empty();
    }
}
