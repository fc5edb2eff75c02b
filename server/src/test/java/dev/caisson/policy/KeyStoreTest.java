package dev.caisson.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeyStoreTest {
    private static final Instant START = Instant.parse("2026-05-06T07:08:09.123Z");
    private final AtomicReference<Instant> now = new AtomicReference<>(START);
    private final InstantSource clock = now::get;

    @TempDir
    Path directory;

    private KeyStore open() {
        return KeyStore.open(directory.resolve("front.db"), clock, new SecureRandom(), Optional.empty());
    }

    @Test
    void aKeyIsGoodUntilRevoked() {
        try (KeyStore keys = open()) {
            assertThat(keys.isEmpty()).isTrue();
            NewKey made = keys.create("ci");
            assertThat(made.text().secret()).matches("e2b_[0-9a-f]{40}");
            assertThat(keys.isEmpty()).isFalse();
            assertThat(keys.caller(made.text().secret())).contains(new Caller(made.key().id(), "default"));
            assertThat(keys.list()).singleElement().satisfies(key -> {
                assertThat(key.name()).isEqualTo("ci");
                assertThat(key.created()).isEqualTo(START);
                assertThat(key.revoked()).isEmpty();
            });
            now.set(START.plusSeconds(5));
            assertThat(keys.revoke(made.key().id()).revoked()).contains(now.get());
            assertThat(keys.caller(made.text().secret())).isEmpty();
            now.set(START.plusSeconds(9));
            assertThat(keys.revoke(made.key().id()).revoked()).contains(START.plusSeconds(5));
            assertThat(keys.isEmpty()).as("a revoked key is not none").isFalse();
        }
    }

    @Test
    void nothingElseIsAKey() {
        try (KeyStore keys = open()) {
            String secret = keys.create("").text().secret();
            String last = secret.endsWith("0") ? "1" : "0";
            for (String wrong : List.of("", " ", secret.substring(1), secret + "0", secret.substring(0, 43) + last, secret.toUpperCase(java.util.Locale.ROOT), "' OR 1=1 --", "e2b_" + "0".repeat(40))) {
                assertThat(keys.caller(wrong)).as(wrong).isEmpty();
            }
        }
    }

    @Test
    void theTextIsNowhereInTheFiles() throws IOException {
        String secret;
        try (KeyStore keys = open()) {
            secret = keys.create("x").text().secret();
            keys.caller(secret);
            assertNowhere(secret);
        }
        assertNowhere(secret);
        try (KeyStore keys = open()) {
            assertThat(keys.caller(secret)).isPresent();
        }
    }

    private void assertNowhere(String secret) throws IOException {
        try (var files = Files.list(directory)) {
            for (Path file : files.toList()) {
                assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1)).as(file.toString()).doesNotContain(secret).doesNotContain(secret.substring(4));
            }
        }
    }

    @Test
    void aKeyTextPrintsAsStars() {
        try (KeyStore keys = open()) {
            NewKey made = keys.create("x");
            assertThat(made.toString()).doesNotContain(made.text().secret().substring(4));
        }
    }

    @Test
    void useIsRememberedToTheMinute() {
        try (KeyStore keys = open()) {
            String secret = keys.create("x").text().secret();
            assertThat(keys.list().getFirst().lastUsed()).isEmpty();
            keys.caller(secret);
            assertThat(keys.list().getFirst().lastUsed()).contains(Instant.parse("2026-05-06T07:08:00Z"));
            now.set(START.plus(Duration.ofSeconds(40)));
            keys.caller(secret);
            assertThat(keys.list().getFirst().lastUsed()).contains(Instant.parse("2026-05-06T07:08:00Z"));
            now.set(START.plus(Duration.ofMinutes(3)));
            keys.caller(secret);
            assertThat(keys.list().getFirst().lastUsed()).contains(Instant.parse("2026-05-06T07:11:00Z"));
        }
    }

    @Test
    void theLocalKeyIsGoodAndStoredNowhere() {
        var text = new KeyText("e2b_" + "ab".repeat(20));
        Path file = directory.resolve("front.db");
        try (KeyStore keys = KeyStore.open(file, clock, new SecureRandom(), Optional.of(text.sha256()))) {
            assertThat(keys.caller(text.secret())).contains(Caller.LOCAL);
            assertThat(keys.caller("e2b_" + "ac".repeat(20))).isEmpty();
            assertThat(keys.list()).isEmpty();
        }
        try (KeyStore keys = open()) {
            assertThat(keys.caller(text.secret())).isEmpty();
        }
    }

    @Test
    void whatAnotherProcessRevokedIsRefusedAtOnce() {
        try (KeyStore one = open(); KeyStore other = open()) {
            NewKey made = one.create("x");
            assertThat(other.caller(made.text().secret())).isPresent();
            other.revoke(made.key().id());
            assertThat(one.caller(made.text().secret())).isEmpty();
        }
    }

    @Test
    void unknownKeysAndLongNamesAreRefused() {
        try (KeyStore keys = open()) {
            refused(() -> keys.revoke("k00000000"), Failure.Code.KEY_NOT_FOUND);
            refused(() -> keys.create("x".repeat(65)), Failure.Code.OUT_OF_RANGE);
            refused(() -> keys.create("a\nb"), Failure.Code.OUT_OF_RANGE);
        }
    }

    @Test
    void aStoreFromANewerVersionIsLeftAlone() throws Exception {
        open().close();
        Path file = directory.resolve("front.db");
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + file); var statement = connection.createStatement()) {
            statement.execute("PRAGMA user_version = 7");
        }
        assertThatThrownBy(this::open).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.STORE_TOO_NEW);
            assertThat(e.failure().message()).contains(file.toString()).contains("7");
        });
    }

    @Test
    void aDamagedStoreAndAMissingDirectoryAreNamed() throws IOException {
        Path file = directory.resolve("front.db");
        Files.writeString(file, "this is not a database, but it is long enough to be looked at by one that expects a header of a hundred bytes");
        refused(this::open, Failure.Code.HOST_UNFIT);
        refused(() -> KeyStore.open(directory.resolve("no/such/front.db"), clock, new SecureRandom(), Optional.empty()), Failure.Code.HOST_UNFIT);
    }

    @Test
    void aFullDiskIsSaidAndLocksNobodyOut() throws Exception {
        Path small = Files.createDirectory(directory.resolve("small"));
        Assumptions.assumeThat(run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small.toString())).as("needs the right to mount a tmpfs").isZero();
        try (KeyStore keys = KeyStore.open(small.resolve("front.db"), clock, new SecureRandom(), Optional.empty())) {
            String secret = keys.create("x").text().secret();
            try (var filler = Files.newOutputStream(small.resolve("filler"))) {
                assertThatThrownBy(() -> filler.write(new byte[1 << 20])).isInstanceOf(IOException.class);
            }
            assertThatThrownBy(() -> {
                for (int i = 0; i < 1_000; i++) {
                    keys.create("y");
                }
            }).isInstanceOfSatisfying(SandboxException.class, e -> {
                assertThat(e.code()).isEqualTo(Failure.Code.HOST_DISK_FULL);
                assertThat(e.failure().message()).contains("front.db");
            });
            now.set(START.plus(Duration.ofHours(1)));
            assertThat(keys.caller(secret)).as("a key still works when its time of use cannot be written").isPresent();
            Files.delete(small.resolve("filler"));
            assertThat(keys.create("z").key().name()).isEqualTo("z");
        } finally {
            assertThat(run("umount", small.toString())).isZero();
        }
    }

    private static int run(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command).inheritIO().start().waitFor();
    }

    @Test
    void keysOfTheFirstVersionAreOfTheDefaultTenant() throws Exception {
        Path file = directory.resolve("front.db");
        String secret;
        try (var keys = KeyStore.open(file, InstantSource.system(), new SecureRandom(), Optional.empty())) {
            secret = keys.create("old").text().secret();
        }
        try (var connection = java.sql.DriverManager.getConnection("jdbc:sqlite:" + file); var statement = connection.createStatement()) {
            statement.execute("ALTER TABLE api_key DROP COLUMN tenant");
            statement.execute("PRAGMA user_version = 1");
        }
        try (var keys = KeyStore.open(file, InstantSource.system(), new SecureRandom(), Optional.empty())) {
            assertThat(keys.caller(secret).orElseThrow().tenant()).isEqualTo("default");
            var other = keys.create("new", "acme");
            assertThat(keys.caller(other.text().secret()).orElseThrow().tenant()).isEqualTo("acme");
            assertThat(keys.list(new Caller("k", "acme"))).extracting(ApiKey::id).containsExactly(other.key().id());
            assertThat(keys.list(Caller.LOCAL)).hasSize(2);
            refused(() -> keys.create("x", "Not One"), Failure.Code.BAD_REQUEST);
            refused(() -> keys.revoke(new Caller("k", "other"), other.key().id()), Failure.Code.KEY_NOT_FOUND);
            assertThat(keys.revoke(new Caller("k", "acme"), other.key().id()).revoked()).isPresent();
        }
    }

    private static void refused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call, Failure.Code code) {
        assertThatThrownBy(call).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(code));
    }
}
