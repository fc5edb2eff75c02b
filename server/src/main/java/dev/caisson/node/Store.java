package dev.caisson.node;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/// The node's one SQLite file: write-ahead log, synchronous FULL, one writing thread that commits what has gathered in one go.
///
/// Another process (the deadman) may have it open as well; writers wait for each other up to 5 seconds.
/// Errors: [Failure.Code#STORE_TOO_NEW], [Failure.Code#HOST_DISK_FULL], [Failure.Code#INTERNAL] for anything else SQLite says.
/// Threads: safe for many. Cleanup: close commits what waits.
final class Store implements AutoCloseable {
    private static final int BUSY_MILLIS = 5_000;
    private static final int MAX_WAITING = 4_096;
    private static final int MAX_BATCH = 128;

    /// One change, on the writer's connection.
    @FunctionalInterface
    interface Change {
        void apply(Connection connection) throws SQLException;
    }

    @FunctionalInterface
    interface Question<T> {
        T ask(Connection connection) throws SQLException;
    }

    private final Path file;
    private final Connection reader;
    private final Connection writer;
    private final ArrayBlockingQueue<Waiting> queue = new ArrayBlockingQueue<>(MAX_WAITING);
    private final Thread writing;
    private volatile boolean closed;

    private Store(Path file, Connection reader, Connection writer) {
        this.file = file;
        this.reader = reader;
        this.writer = writer;
        // A platform thread: native calls would pin a virtual one's carrier for the length of an fsync.
        this.writing = Thread.ofPlatform().name("store-writer").start(this::writeAll);
    }

    /// Opens the file, makes it and its tables when they are not there.
    static Store open(Path file) {
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            var writer = connect(file);
            Schema.prepare(writer, file);
            return new Store(file, connect(file), writer);
        } catch (SQLException e) {
            throw failed(file, e);
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("cannot make the store's directory: " + e.getMessage(), "see that it may be written to", e);
        }
    }

    private static Connection connect(Path file) throws SQLException {
        var config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setSynchronous(SQLiteConfig.SynchronousMode.FULL);
        config.setBusyTimeout(BUSY_MILLIS);
        config.setTransactionMode(SQLiteConfig.TransactionMode.IMMEDIATE);
        // 1 MiB each is plenty for rows that live as long as a sandbox.
        config.setCacheSize(-1024);
        return config.createConnection("jdbc:sqlite:" + file);
    }

    <T> T read(Question<T> question) {
        synchronized (reader) {
            try {
                return question.ask(reader);
            } catch (SQLException e) {
                throw failed(file, e);
            }
        }
    }

    /// Makes a change and waits until it is on the disk.
    void write(Change change) throws InterruptedException {
        var waiting = new Waiting(change, new CountDownLatch(1));
        queue.put(waiting);
        waiting.done().await();
        var failure = waiting.failure;
        if (failure != null) {
            throw failed(file, failure);
        }
    }

    /// Makes a change soon, in order with the others; its failure is logged, nobody waits.
    void writeLater(Change change) throws InterruptedException {
        queue.put(new Waiting(change, new CountDownLatch(1)));
    }

    @Override
    public void close() {
        closed = true;
        writing.interrupt();
        boolean interrupted = false;
        while (writing.isAlive()) {
            try {
                writing.join();
            } catch (InterruptedException _) {
                interrupted = true;
            }
        }
        try {
            reader.close();
            writer.close();
        } catch (SQLException e) {
            System.getLogger(Store.class.getName()).log(System.Logger.Level.WARNING, "store did not close: " + e.getMessage());
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void writeAll() {
        var batch = new ArrayList<Waiting>(MAX_BATCH);
        while (true) {
            batch.clear();
            try {
                var first = closed ? queue.poll() : queue.poll(1, TimeUnit.HOURS);
                if (first != null) {
                    batch.add(first);
                }
            } catch (InterruptedException _) {
                // Closing: what waits is still written.
            }
            queue.drainTo(batch, MAX_BATCH - batch.size());
            if (batch.isEmpty() && closed) {
                return;
            }
            if (!batch.isEmpty()) {
                commit(batch);
            }
        }
    }

    /// One transaction for all; when it fails each gets one of its own, so that a bad change fails alone.
    private void commit(List<Waiting> batch) {
        try {
            transaction(batch);
        } catch (SQLException e) {
            if (batch.size() == 1) {
                batch.getFirst().fail(e);
            } else {
                for (Waiting one : batch) {
                    try {
                        transaction(List.of(one));
                    } catch (SQLException alone) {
                        one.fail(alone);
                    }
                }
            }
        }
        batch.forEach(one -> one.done().countDown());
    }

    private void transaction(List<Waiting> batch) throws SQLException {
        writer.setAutoCommit(false);
        try {
            for (Waiting one : batch) {
                one.change().apply(writer);
            }
            writer.commit();
        } catch (SQLException e) {
            endFailed(e);
            throw e;
        }
        writer.setAutoCommit(true);
    }

    /// A full disk has rolled back already, and then SQLite refuses both the rollback and the end; the first failure is the one that says why.
    private void endFailed(SQLException why) {
        try {
            writer.rollback();
        } catch (SQLException e) {
            why.addSuppressed(e);
        }
        try {
            writer.setAutoCommit(true);
        } catch (SQLException e) {
            why.addSuppressed(e);
        }
    }

    static SandboxException failed(Path file, SQLException e) {
        var code = e instanceof SQLiteException lite ? lite.getResultCode() : SQLiteErrorCode.UNKNOWN_ERROR;
        if (code == SQLiteErrorCode.SQLITE_FULL) {
            return Failure.Code.HOST_DISK_FULL.with("the disk that holds " + file + " is full", "free some space on it; sandboxes that run go on", e);
        }
        if (code == SQLiteErrorCode.SQLITE_NOTADB || code == SQLiteErrorCode.SQLITE_CORRUPT) {
            return Failure.Code.HOST_UNFIT.with("the store " + file + " is damaged: " + e.getMessage(),
                    "restore a copy of it, or move it away: the next start then ends what is left of its sandboxes, and their receipts are gone", e);
        }
        if (code.name().startsWith("SQLITE_IOERR") || code == SQLiteErrorCode.SQLITE_CANTOPEN || code == SQLiteErrorCode.SQLITE_READONLY) {
            return Failure.Code.HOST_UNFIT.with("cannot read or write " + file + ": " + e.getMessage(), "check the disk, its free space and the file's owner", e);
        }
        return Failure.Code.INTERNAL.with("the store " + file + " failed: " + e.getMessage(), "report this with the node's log", e);
    }

    private static final class Waiting {
        private final Change change;
        private final CountDownLatch done;
        private volatile @Nullable SQLException failure;

        Waiting(Change change, CountDownLatch done) {
            this.change = change;
            this.done = done;
        }

        Change change() {
            return change;
        }

        CountDownLatch done() {
            return done;
        }

        void fail(SQLException e) {
            failure = e;
            System.getLogger(Store.class.getName()).log(System.Logger.Level.WARNING, "a change was not written: " + e.getMessage());
        }
    }
}
