package dev.caisson.node;

import dev.caisson.json.Forms;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;

/// The durable list of sandboxes and of everything they hold, written before anything is acquired and crossed off when it is checked to be gone.
///
/// Threads: safe for many.
final class Journal {
    /// Receipts kept; the oldest go first.
    static final int MAX_RECEIPTS = 100_000;

    private static final int MAX_ARGV_CHARS = 4096;

    private final Store store;

    Journal(Store store) {
        this.store = store;
    }

    /// Writes down a sandbox and all it is about to acquire. Nothing may be acquired before this returns.
    void intend(JournalEntry entry) throws InterruptedException {
        store.write(connection -> {
            insert(connection, entry);
            insert(connection, entry.id(), entry.resources());
        });
    }

    /// The same for a sandbox that takes over a machine which stood by, with all that is written down of it. False when that machine does not stand by any more: nothing is written then.
    boolean takeOver(JournalEntry entry) throws InterruptedException {
        var taken = new AtomicBoolean();
        store.write(connection -> {
            taken.set(update("delete from standby where id = ?", entry.id().value()).applyCounting(connection) == 1);
            if (taken.get()) {
                insert(connection, entry);
            }
        });
        return taken.get();
    }

    private static void insert(Connection connection, JournalEntry entry) throws SQLException {
        update("insert into sandbox values (?,?,?,?,?,?,?,?,?,null,null)",
                entry.id().value(), Forms.SANDBOX_SPEC.bytes(entry.spec()), entry.imageDigest(), entry.state().name(), entry.slot(), entry.created().toEpochMilli(), entry.deadlineNanos(), entry.bootId(), 0)
                .apply(connection);
        count(connection, "created", 1);
    }

    private static void insert(Connection connection, SandboxId id, List<Resource> resources) throws SQLException {
        try (var statement = connection.prepareStatement("insert into resource values (?,?,?,?)")) {
            for (int i = 0; i < resources.size(); i++) {
                bind(statement, id.value(), i, resources.get(i).kind().name(), resources.get(i).name());
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    /// Writes down a machine that is to stand by, and all it is about to acquire; as with [#intend], before that.
    void standsBy(SandboxId id, List<Resource> resources, long deadlineNanos, String bootId) throws InterruptedException {
        store.write(connection -> {
            update("insert into standby values (?,?,?)", id.value(), deadlineNanos, bootId).apply(connection);
            insert(connection, id, resources);
        });
    }

    /// Nothing of it is left.
    void standsByNoMore(SandboxId id) throws InterruptedException {
        store.write(connection -> {
            if (update("delete from standby where id = ?", id.value()).applyCounting(connection) == 1) {
                update("delete from resource where sandbox = ?", id.value()).apply(connection);
            }
        });
    }

    /// Machines that stand by, with what they hold.
    Map<SandboxId, List<Resource>> standbys() {
        return standbys("");
    }

    /// Those of this boot whose time was over before `nanos`, and all of earlier boots.
    Map<SandboxId, List<Resource>> overdueStandbys(String bootId, long nanos) {
        return standbys("where boot_id <> ? or deadline_nanos < ?", bootId, nanos);
    }

    private Map<SandboxId, List<Resource>> standbys(String which, Object... values) {
        return store.read(connection -> {
            var all = new HashMap<SandboxId, List<Resource>>();
            try (var query = connection.prepareStatement("select id from standby " + which)) {
                bind(query, values);
                try (var rows = query.executeQuery()) {
                    while (rows.next()) {
                        all.put(new SandboxId(rows.getString(1)), resources(connection, rows.getString(1)));
                    }
                }
            }
            return all;
        });
    }

    private static List<Resource> resources(Connection connection, String id) throws SQLException {
        var resources = new ArrayList<Resource>();
        try (var query = connection.prepareStatement("select kind, name from resource where sandbox = ? order by seq")) {
            bind(query, id);
            try (var rows = query.executeQuery()) {
                while (rows.next()) {
                    resources.add(new Resource(ResourceKind.valueOf(rows.getString(1)), rows.getString(2)));
                }
            }
        }
        return resources;
    }

    /// Its agent has said hello: from here on a restart of the node keeps it.
    void running(SandboxId id, long createMillis) throws InterruptedException {
        store.write(update("update sandbox set state = ?, create_millis = ? where id = ?", SandboxState.RUNNING.name(), createMillis, id.value()));
    }

    /// Its end has been decided. Nobody waits: the receipt is what counts.
    void ending(SandboxId id, EndReason reason) throws InterruptedException {
        store.writeLater(update("update sandbox set state = ?, end_reason = ? where id = ?", SandboxState.DELETING.name(), reason.name(), id.value()));
    }

    /// It is about to be frozen: from here on the row means that it is deleted at `deadlineNanos`, and that a node which comes back freezes it again.
    void paused(SandboxId id, long pausedNanos, long deadlineNanos) throws InterruptedException {
        store.write(update("update sandbox set state = ?, paused_nanos = ?, deadline_nanos = ? where id = ?", SandboxState.PAUSED.name(), pausedNanos, deadlineNanos, id.value()));
    }

    /// It is about to go on, with another end of its lease; its commands have stood still for `pausedFor` nanoseconds.
    void resumed(SandboxId id, long deadlineNanos, long pausedFor) throws InterruptedException {
        store.write(resuming(id, deadlineNanos, pausedFor));
    }

    /// It could not be frozen after all.
    void notPaused(SandboxId id, long deadlineNanos) throws InterruptedException {
        store.writeLater(resuming(id, deadlineNanos, 0));
    }

    private static Store.Change resuming(SandboxId id, long deadlineNanos, long pausedFor) {
        return connection -> {
            update("update sandbox set state = ?, paused_nanos = null, deadline_nanos = ? where id = ?", SandboxState.RUNNING.name(), deadlineNanos, id.value()).apply(connection);
            update("update command set deadline_nanos = deadline_nanos + ? where sandbox = ?", pausedFor, id.value()).apply(connection);
        };
    }

    /// It may reach something else from now on.
    void changed(SandboxId id, SandboxSpec spec) throws InterruptedException {
        store.write(update("update sandbox set spec = ? where id = ?", Forms.SANDBOX_SPEC.bytes(spec), id.value()));
    }

    void renewed(SandboxId id, long deadlineNanos) throws InterruptedException {
        store.write(update("update sandbox set deadline_nanos = ? where id = ?", deadlineNanos, id.value()));
    }

    /// Written soon, not waited for: losing it costs an adopted command its own timeout, not its sandbox's.
    void started(SandboxId sandbox, JournalEntry.StartedCommand command) throws InterruptedException {
        String argv = shown(command.argv());
        store.writeLater(update("insert or replace into command values (?,?,?,?,?,?)", sandbox.value(), command.id().number(), argv, command.startedNanos(), command.deadlineNanos(), command.outputLimitBytes()));
    }

    void ended(SandboxId sandbox, CommandId command) throws InterruptedException {
        store.writeLater(update("delete from command where sandbox = ? and number = ?", sandbox.value(), command.number()));
    }

    /// Crosses a sandbox off and keeps its receipt; the first one written stays. Returns the one that is kept.
    Receipt over(Receipt receipt) throws InterruptedException {
        byte[] json = Forms.RECEIPT.bytes(receipt);
        store.write(connection -> {
            String id = receipt.id().value();
            if (update("insert or ignore into receipt values (?,?,?,?,?)", id, receipt.ended().toEpochMilli(), receipt.leaks(), json, receipt.tenant()).applyCounting(connection) > 0) {
                count(connection, receipt.reason() == EndReason.CREATE_FAILED ? "failed" : "deleted", 1);
                count(connection, "leaked", receipt.leaks());
            }
            update("delete from resource where sandbox = ?", id).apply(connection);
            update("delete from command where sandbox = ?", id).apply(connection);
            update("delete from sandbox where id = ?", id).apply(connection);
        });
        return receipt(receipt.id()).orElse(receipt);
    }

    /// Drops receipts beyond the number kept.
    void prune() throws InterruptedException {
        store.writeLater(update("delete from receipt where id in (select id from receipt order by ended_millis desc limit -1 offset ?)", MAX_RECEIPTS));
    }

    Optional<Receipt> receipt(SandboxId id) {
        return store.read(connection -> {
            try (var query = connection.prepareStatement("select json from receipt where id = ?")) {
                bind(query, id.value());
                try (var rows = query.executeQuery()) {
                    return rows.next() ? Optional.of(Forms.RECEIPT.read(rows.getBytes(1))) : Optional.empty();
                }
            }
        });
    }

    /// The newest first; of every tenant when it is empty.
    List<Receipt> receipts(String tenant, int limit) {
        String whose = tenant.isEmpty() ? "" : "where tenant = ? ";
        return store.read(connection -> {
            try (var query = connection.prepareStatement("select json from receipt " + whose + "order by ended_millis desc, rowid desc limit ?")) {
                if (tenant.isEmpty()) {
                    bind(query, limit);
                } else {
                    bind(query, tenant, limit);
                }
                var receipts = new ArrayList<Receipt>();
                try (var rows = query.executeQuery()) {
                    while (rows.next()) {
                        receipts.add(Forms.RECEIPT.read(rows.getBytes(1)));
                    }
                }
                return receipts;
            }
        });
    }

    /// Everything that is not over.
    List<JournalEntry> entries() {
        return select("select * from sandbox order by created_millis, id");
    }

    /// Those of this boot whose lease was over before `nanos`, and all of earlier boots.
    List<JournalEntry> overdue(String bootId, long nanos) {
        return select("select * from sandbox where boot_id <> ? or deadline_nanos < ?", bootId, nanos);
    }

    long counter(String name) {
        return store.read(connection -> {
            try (var query = connection.prepareStatement("select value from counter where name = ?")) {
                bind(query, name);
                try (var rows = query.executeQuery()) {
                    return rows.next() ? rows.getLong(1) : 0L;
                }
            }
        });
    }

    private List<JournalEntry> select(String sql, Object... values) {
        return store.read(connection -> {
            var entries = new ArrayList<JournalEntry>();
            try (var query = connection.prepareStatement(sql)) {
                bind(query, values);
                try (var rows = query.executeQuery()) {
                    while (rows.next()) {
                        entries.add(entry(connection, rows));
                    }
                }
            }
            return entries;
        });
    }

    private static JournalEntry entry(Connection connection, ResultSet row) throws SQLException {
        String id = row.getString("id");
        var resources = resources(connection, id);
        var commands = new ArrayList<JournalEntry.StartedCommand>();
        try (var query = connection.prepareStatement("select number, argv, started_nanos, deadline_nanos, output_limit_bytes from command where sandbox = ?")) {
            bind(query, id);
            try (var rows = query.executeQuery()) {
                while (rows.next()) {
                    commands.add(new JournalEntry.StartedCommand(CommandId.of(rows.getLong(1)), List.of(rows.getString(2).split("\u001f")), rows.getLong(3), rows.getLong(4), rows.getLong(5)));
                }
            }
        }
        return new JournalEntry(
                new SandboxId(id), Forms.SANDBOX_SPEC.read(row.getBytes("spec")), row.getString("image"), SandboxState.valueOf(row.getString("state")), row.getInt("slot"),
                Instant.ofEpochMilli(row.getLong("created_millis")), row.getLong("deadline_nanos"), row.getString("boot_id"), row.getLong("create_millis"), pausedNanos(row),
                Optional.ofNullable(row.getString("end_reason")).map(EndReason::valueOf), resources, commands);
    }

    private static OptionalLong pausedNanos(ResultSet row) throws SQLException {
        long nanos = row.getLong("paused_nanos");
        return row.wasNull() ? OptionalLong.empty() : OptionalLong.of(nanos);
    }

    /// What is remembered of an argv: enough for a person to know the command again. Parted by the ASCII unit separator.
    private static String shown(List<String> argv) {
        String joined = String.join("\u001f", argv);
        return joined.substring(0, Math.min(joined.length(), MAX_ARGV_CHARS));
    }

    private static void count(Connection connection, String counter, long by) throws SQLException {
        if (by != 0) {
            update("insert into counter values (?, ?) on conflict (name) do update set value = value + excluded.value", counter, by).apply(connection);
        }
    }

    /// A change that is one statement.
    private record Update(String sql, Object... values) implements Store.Change {
        @Override
        public void apply(Connection connection) throws SQLException {
            applyCounting(connection);
        }

        int applyCounting(Connection connection) throws SQLException {
            try (var statement = connection.prepareStatement(sql)) {
                bind(statement, values);
                return statement.executeUpdate();
            }
        }
    }

    private static Update update(String sql, Object... values) {
        return new Update(sql, values);
    }

    private static void bind(PreparedStatement statement, Object... values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            statement.setObject(i + 1, values[i]);
        }
    }
}
