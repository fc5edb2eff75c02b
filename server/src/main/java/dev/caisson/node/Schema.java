package dev.caisson.node;

import dev.caisson.sandbox.Failure;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;

/// The node's tables.
final class Schema {
    /// Kept in SQLite's user_version; raised with every change of the tables.
    static final int VERSION = 3;

    private static final List<String> TABLES = List.of(
            // One row per sandbox that is not over. deadline_nanos: CLOCK_MONOTONIC of the boot named in boot_id; of a paused one, when it is deleted.
            // end_reason: null until its end is decided. paused_nanos: since when it is paused, null when it is not.
            """
            create table if not exists sandbox (
              id text primary key, spec blob not null, image text not null, state text not null, slot integer not null,
              created_millis integer not null, deadline_nanos integer not null, boot_id text not null, create_millis integer not null,
              end_reason text, paused_nanos integer) strict""",
            // One row per machine that stands by; what it holds is in resource, where it stays when a sandbox takes it over.
            "create table if not exists standby (id text primary key, deadline_nanos integer not null, boot_id text not null) strict",
            // What it holds or is about to hold, in the order of acquisition.
            "create table if not exists resource (sandbox text not null, seq integer not null, kind text not null, name text not null, primary key (sandbox, seq)) strict, without rowid",
            // What the node must remember of a running command when it comes back.
            """
            create table if not exists command (
              sandbox text not null, number integer not null, argv text not null, started_nanos integer not null, deadline_nanos integer not null,
              output_limit_bytes integer not null, primary key (sandbox, number)) strict, without rowid""",
            "create table if not exists receipt (id text primary key, ended_millis integer not null, leaks integer not null, json blob not null, tenant text not null default 'default') strict",
            "create index if not exists receipt_ended on receipt (ended_millis)",
            "create index if not exists receipt_tenant on receipt (tenant, ended_millis)",
            "create table if not exists counter (name text primary key, value integer not null) strict, without rowid");

    private Schema() {}

    /// Makes the tables; refuses a store that a newer version has written.
    static void prepare(Connection connection, Path file) throws SQLException {
        try (var statement = connection.createStatement()) {
            int version = version(statement);
            if (version > VERSION) {
                throw Failure.Code.STORE_TOO_NEW.with(
                        "the store " + file + " is of version " + version + ", this program knows up to " + VERSION,
                        "start the newer Caisson that wrote it, or set CAISSON_HOME to another directory");
            }
            if (version < VERSION) {
                raise(statement);
            }
        }
    }

    /// Node and deadman may both come here: one after the other.
    private static void raise(Statement statement) throws SQLException {
        statement.execute("begin immediate");
        try {
            if (version(statement) == 1) {
                statement.execute("alter table sandbox add column paused_nanos integer");
                statement.execute("alter table receipt add column tenant text not null default 'default'");
            }
            for (String table : TABLES) {
                statement.execute(table);
            }
            statement.execute("pragma user_version = " + VERSION);
            statement.execute("commit");
        } catch (SQLException e) {
            statement.execute("rollback");
            throw e;
        }
    }

    private static int version(Statement statement) throws SQLException {
        try (var row = statement.executeQuery("pragma user_version")) {
            return row.next() ? row.getInt(1) : 0;
        }
    }
}
