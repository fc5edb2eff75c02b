package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.random.RandomGenerator;

/// The API keys of an installation, in one SQLite file, as SHA-256 only.
///
/// A key is looked up by its hash, so how long that takes says nothing about the texts of keys. What another process changed in the file counts from
/// the next call on.
/// Threads: safe for many. Cleanup: close.
public final class KeyStore implements AutoCloseable {
    public static final int MAX_KEYS = 10_000;
    public static final int MAX_NAME = 64;
    /// How exact the time of last use is: it saves a synced write on every call.
    static final Duration USE_GRAIN = Duration.ofMinutes(1);
    private static final System.Logger LOG = System.getLogger(KeyStore.class.getName());

    private final Path file;
    private final Connection connection;
    private final PreparedStatement find;
    private final PreparedStatement others;
    private final InstantSource clock;
    private final RandomGenerator random;
    private final Optional<byte[]> localSha256;
    private final ReentrantLock lock = new ReentrantLock();

    private KeyStore(Path file, Connection connection, InstantSource clock, RandomGenerator random, Optional<byte[]> localSha256) throws SQLException {
        this.file = file;
        this.connection = connection;
        this.find = connection.prepareStatement("SELECT id, used_ms, tenant FROM api_key WHERE sha256 = ? AND revoked_ms IS NULL");
        this.others = connection.prepareStatement("SELECT EXISTS (SELECT 1 FROM api_key WHERE tenant <> ? AND revoked_ms IS NULL)");
        this.clock = clock;
        this.random = random;
        this.localSha256 = localSha256;
    }

    /// Opens the store, making the file when there is none.
    ///
    /// @param random must be fit for secrets
    /// @param localSha256 hash of a key that is good while this store is open and is written nowhere
    /// Errors: [Failure.Code#STORE_TOO_NEW], [Failure.Code#HOST_DISK_FULL], [Failure.Code#HOST_UNFIT].
    public static KeyStore open(Path file, InstantSource clock, RandomGenerator random, Optional<byte[]> localSha256) {
        Connection connection = KeyDatabase.open(file);
        try {
            return new KeyStore(file, connection, clock, random, localSha256);
        } catch (SQLException e) {
            throw KeyDatabase.failed(file, "open", e);
        }
    }

    /// Who has this key; empty when it is none, or a revoked one.
    public Optional<Caller> caller(String bearer) {
        var text = new KeyText(bearer);
        if (!text.isWellFormed()) {
            return Optional.empty();
        }
        byte[] hash = text.sha256();
        if (localSha256.isPresent() && MessageDigest.isEqual(localSha256.get(), hash)) {
            return Optional.of(Caller.LOCAL);
        }
        return locked("read", () -> {
            find.setBytes(1, hash);
            try (ResultSet row = find.executeQuery()) {
                if (!row.next()) {
                    return Optional.<Caller>empty();
                }
                String id = row.getString(1);
                long used = row.getLong(2);
                String tenant = row.getString(3);
                touch(id, used);
                return Optional.of(new Caller(id, tenant));
            }
        });
    }

    /// A full disk must not lock anybody out, so a time of use that cannot be written is only logged.
    private void touch(String id, long usedMillis) {
        Instant now = clock.instant();
        if (now.toEpochMilli() - usedMillis < USE_GRAIN.toMillis()) {
            return;
        }
        try (PreparedStatement update = connection.prepareStatement("UPDATE api_key SET used_ms = ? WHERE id = ?")) {
            update.setLong(1, now.toEpochMilli() / USE_GRAIN.toMillis() * USE_GRAIN.toMillis());
            update.setString(2, id);
            update.executeUpdate();
        } catch (SQLException e) {
            LOG.log(System.Logger.Level.DEBUG, "key={0} what=time-of-use-not-written why={1}", id, e.getMessage());
        }
    }

    /// Makes a key of the default tenant.
    public NewKey create(String name) {
        return create(name, SandboxSpec.DEFAULT_TENANT);
    }

    /// Makes a key; the answer is the only place its text ever is.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST] for what cannot be a tenant, [Failure.Code#OUT_OF_RANGE] for a long name, [Failure.Code#TOO_MANY], [Failure.Code#HOST_DISK_FULL].
    public NewKey create(String name, String tenant) {
        SandboxSpec.checkTenant(tenant);
        if (name.length() > MAX_NAME || name.chars().anyMatch(Character::isISOControl)) {
            throw Failure.Code.OUT_OF_RANGE.with("not a name for a key: '" + Failure.shown(name) + "'", "use at most " + MAX_NAME + " characters, no control characters");
        }
        return locked("write", () -> {
            if (count() >= MAX_KEYS) {
                throw Failure.Code.TOO_MANY.with("there are " + MAX_KEYS + " keys, revoked ones included", "move " + file + " away and start again with fresh keys");
            }
            KeyText text = KeyText.random(random);
            var key = new ApiKey(freeId(), name, tenant, Instant.ofEpochMilli(clock.millis()), Optional.empty(), Optional.empty());
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO api_key (id, sha256, name, created_ms, tenant) VALUES (?, ?, ?, ?, ?)")) {
                insert.setString(1, key.id());
                insert.setBytes(2, text.sha256());
                insert.setString(3, name);
                insert.setLong(4, key.created().toEpochMilli());
                insert.setString(5, tenant);
                insert.executeUpdate();
            }
            return new NewKey(key, text);
        });
    }

    /// Every key that a caller may see, revoked ones too, oldest first.
    public List<ApiKey> list(Caller caller) {
        return list().stream().filter(caller::mayManage).toList();
    }

    /// Revokes a key that the caller may see; any other is as if it were not there.
    ///
    /// Errors: [Failure.Code#KEY_NOT_FOUND].
    public ApiKey revoke(Caller caller, String id) {
        boolean seen = locked("read", () -> select("WHERE id = ?", id)).stream().anyMatch(caller::mayManage);
        if (!seen) {
            throw noSuchKey(id);
        }
        return revoke(id);
    }

    private static SandboxException noSuchKey(String id) {
        return Failure.Code.KEY_NOT_FOUND.with("there is no key '" + Failure.shown(id) + "'", "list them with `caisson key list`");
    }

    /// Every key, revoked ones too, oldest first.
    public List<ApiKey> list() {
        return locked("read", () -> select("ORDER BY created_ms, rowid", ""));
    }

    /// Revokes a key from now on; one that was revoked before keeps its time.
    ///
    /// Errors: [Failure.Code#KEY_NOT_FOUND].
    public ApiKey revoke(String id) {
        return locked("write", () -> {
            try (PreparedStatement update = connection.prepareStatement("UPDATE api_key SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL")) {
                update.setLong(1, clock.millis());
                update.setString(2, id);
                update.executeUpdate();
            }
            List<ApiKey> found = select("WHERE id = ?", id);
            if (found.isEmpty()) {
                throw noSuchKey(id);
            }
            return found.getFirst();
        });
    }

    /// True when a key of another tenant than this one is good.
    public boolean hasOthers(String tenant) {
        return locked("read", () -> {
            others.setString(1, tenant);
            try (ResultSet row = others.executeQuery()) {
                return row.getBoolean(1);
            }
        });
    }

    /// True when no key was ever made.
    public boolean isEmpty() {
        return locked("read", () -> count() == 0);
    }

    @Override
    public void close() {
        lock.lock();
        try {
            connection.close();
        } catch (SQLException e) {
            throw KeyDatabase.failed(file, "close", e);
        } finally {
            lock.unlock();
        }
    }

    private String freeId() throws SQLException {
        while (true) {
            String id = String.format("k%08x", random.nextInt());
            if (select("WHERE id = ?", id).isEmpty()) {
                return id;
            }
        }
    }

    private long count() throws SQLException {
        try (var statement = connection.createStatement(); ResultSet row = statement.executeQuery("SELECT count(*) FROM api_key")) {
            return row.getLong(1);
        }
    }

    /// `rest` is one of our own constants; `parameter` fills its one question mark, if it has one.
    private List<ApiKey> select(String rest, String parameter) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("SELECT id, name, created_ms, used_ms, revoked_ms, tenant FROM api_key " + rest)) {
            if (!parameter.isEmpty()) {
                query.setString(1, parameter);
            }
            var keys = new ArrayList<ApiKey>();
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    keys.add(new ApiKey(row.getString(1), row.getString(2), row.getString(6), Instant.ofEpochMilli(row.getLong(3)), time(row, 4), time(row, 5)));
                }
            }
            return keys;
        }
    }

    private static Optional<Instant> time(ResultSet row, int column) throws SQLException {
        long millis = row.getLong(column);
        return row.wasNull() ? Optional.empty() : Optional.of(Instant.ofEpochMilli(millis));
    }

    private interface Work<T> {
        T run() throws SQLException;
    }

    private <T> T locked(String doing, Work<T> work) {
        lock.lock();
        try {
            return work.run();
        } catch (SQLException e) {
            throw KeyDatabase.failed(file, doing, e);
        } finally {
            lock.unlock();
        }
    }
}
