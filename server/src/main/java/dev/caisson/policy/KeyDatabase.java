package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/// The file behind the keys: its schema, its version, and what its failures mean.
final class KeyDatabase {
    /// Written to the file's `user_version`.
    static final int SCHEMA = 2;
    private static final Duration BUSY = Duration.ofSeconds(5);

    private KeyDatabase() {}

    /// Opens or makes the file.
    ///
    /// Errors: [Failure.Code#STORE_TOO_NEW], [Failure.Code#HOST_DISK_FULL], [Failure.Code#HOST_UNFIT].
    static Connection open(Path file) {
        var config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setSynchronous(SQLiteConfig.SynchronousMode.FULL);
        config.setBusyTimeout((int) BUSY.toMillis());
        Connection connection;
        try {
            connection = config.createConnection("jdbc:sqlite:" + file);
        } catch (SQLException e) {
            throw failed(file, "open", e);
        }
        try {
            prepare(file, connection);
            return connection;
        } catch (SQLException | SandboxException e) {
            try {
                connection.close();
            } catch (SQLException second) {
                e.addSuppressed(second);
            }
            throw e instanceof SandboxException known ? known : failed(file, "open", (SQLException) e);
        }
    }

    private static void prepare(Path file, Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            int version;
            try (var row = statement.executeQuery("PRAGMA user_version")) {
                version = row.getInt(1);
            }
            if (version > SCHEMA) {
                throw Failure.Code.STORE_TOO_NEW.with(
                        "the key store " + file + " was written by a newer Caisson (its schema is " + version + ", this program knows " + SCHEMA + ")",
                        "start the version that wrote it, or restore a copy from before the upgrade");
            }
            if (version == 1) {
                // All keys of before there were tenants are of one.
                statement.execute("BEGIN IMMEDIATE");
                statement.execute("ALTER TABLE api_key ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default'");
                statement.execute("PRAGMA user_version = " + SCHEMA);
                statement.execute("COMMIT");
            }
            if (version == 0) {
                statement.execute("BEGIN IMMEDIATE");
                statement.execute("""
                        CREATE TABLE IF NOT EXISTS api_key (
                          id TEXT PRIMARY KEY NOT NULL,
                          sha256 BLOB NOT NULL UNIQUE,     -- of the key's text in ASCII, 32 bytes
                          name TEXT NOT NULL,
                          created_ms INTEGER NOT NULL,     -- Unix time
                          used_ms INTEGER,                 -- to the minute; null: never
                          revoked_ms INTEGER,              -- null: good
                          tenant TEXT NOT NULL DEFAULT 'default'
                        ) STRICT""");
                statement.execute("PRAGMA user_version = " + SCHEMA);
                statement.execute("COMMIT");
            }
        }
    }

    /// What SQLite says, as a failure that names the file and the way out.
    static SandboxException failed(Path file, String doing, SQLException e) {
        SQLiteErrorCode code = e instanceof SQLiteException lite ? lite.getResultCode() : SQLiteErrorCode.UNKNOWN_ERROR;
        String what = "cannot " + doing + " the key store " + file;
        return switch (code) {
            case SQLITE_FULL -> Failure.Code.HOST_DISK_FULL.with(what + ": the disk is full", "make room on the file system of " + file.getParent(), e);
            case SQLITE_NOTADB, SQLITE_CORRUPT -> Failure.Code.HOST_UNFIT.with(
                    what + ": it is damaged", "restore a copy of it, or move it away; a first key is then made anew and the old ones are gone", e);
            case SQLITE_BUSY, SQLITE_LOCKED -> Failure.Code.HOST_UNFIT.with(
                    what + ": another process has kept it locked for " + BUSY.toSeconds() + " seconds", "find who has it open, with `fuser " + file + "`", e);
            default -> Failure.Code.HOST_UNFIT.with(what + ": " + code, "see that " + file.getParent() + " exists, is writable for this user and its disk is sound", e);
        };
    }
}
