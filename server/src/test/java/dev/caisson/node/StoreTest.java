package dev.caisson.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Usage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class StoreTest {
    private static final Random RANDOM = new Random(5);

    @TempDir
    private Path directory;

    private static JournalEntry entry(SandboxId id) {
        return new JournalEntry(
                id, SandboxSpec.defaults(), "sha256:" + "0".repeat(64), SandboxState.CREATING, 3, Instant.ofEpochMilli(1_700_000_000_000L), 5_000, "boot", 0, OptionalLong.empty(), Optional.empty(),
                List.of(new Resource(ResourceKind.DIRECTORY, "/a"), new Resource(ResourceKind.CGROUP, "c/x"), new Resource(ResourceKind.PROCESSES, "c/x")), List.of());
    }

    private static Receipt receipt(SandboxId id, String by) {
        var entry = entry(id);
        return new Receipt(
                id, entry.spec().template(), entry.spec().tier(), entry.spec().driver(), entry.spec().trust(), entry.imageDigest(), entry.created(), entry.created().plusSeconds(5), EndReason.DELETED, Usage.NONE, Map.of(),
                List.of(new Receipt.Check(entry.resources().getFirst(), true, "")), by, "default");
    }

    @Test
    void whatIsIntendedIsThereAfterTheProcessIsNot() throws Exception {
        var id = SandboxId.random(RANDOM);
        try (var store = Store.open(directory.resolve("node.db"))) {
            new Journal(store).intend(entry(id));
        }
        try (var store = Store.open(directory.resolve("node.db"))) {
            assertThat(new Journal(store).entries()).containsExactly(entry(id));
        }
    }

    @Test
    void theFirstReceiptStaysAndTheRowsGo() throws Exception {
        var id = SandboxId.random(RANDOM);
        try (var store = Store.open(directory.resolve("node.db"))) {
            var journal = new Journal(store);
            journal.intend(entry(id));
            assertThat(journal.over(receipt(id, "deadman")).by()).isEqualTo("deadman");
            assertThat(journal.over(receipt(id, "keeper")).by()).isEqualTo("deadman");
            assertThat(journal.entries()).isEmpty();
            assertThat(journal.counter("deleted")).isEqualTo(1);
        }
    }

    /// Its owner and the deadman may come at the same moment: one of them finds it.
    @Test
    void whatStoodByIsTakenOverOnceAndWithAllItHolds() throws Exception {
        var id = SandboxId.random(RANDOM);
        var other = SandboxId.random(RANDOM);
        try (var store = Store.open(directory.resolve("node.db"))) {
            var journal = new Journal(store);
            journal.standsBy(id, entry(id).resources(), 5_000, "boot");
            journal.standsBy(other, entry(other).resources(), 9_000, "boot");
            assertThat(journal.entries()).isEmpty();
            assertThat(journal.overdueStandbys("boot", 5_000)).isEmpty();
            assertThat(journal.overdueStandbys("boot", 5_001)).containsOnly(Map.entry(id, entry(id).resources()));
            assertThat(journal.overdueStandbys("another boot", 0)).containsOnlyKeys(id, other);
            assertThat(journal.takeOver(entry(id))).isTrue();
            assertThat(journal.takeOver(entry(id))).as("again").isFalse();
            assertThat(journal.entries()).containsExactly(entry(id));
            journal.standsByNoMore(id);
            assertThat(journal.entries()).as("it is a sandbox now").containsExactly(entry(id));
            journal.standsByNoMore(other);
            assertThat(journal.takeOver(entry(other))).as("one that was ended").isFalse();
            assertThat(journal.standbys()).isEmpty();
            assertThat(journal.counter("created")).isEqualTo(1);
        }
    }

    /// The row alone says that it is paused and until when, for the sweep and the deadman.
    @Test
    void aPausedSandboxHasAnEndOfItsOwn() throws Exception {
        var id = SandboxId.random(RANDOM);
        try (var store = Store.open(directory.resolve("node.db"))) {
            var journal = new Journal(store);
            journal.intend(entry(id));
            journal.running(id, 7);
            journal.started(id, new JournalEntry.StartedCommand(CommandId.of(1), List.of("sleep"), 1_000, 4_000, 10));
            journal.paused(id, 3_000, 90_000);
            assertThat(journal.overdue("boot", 89_999)).isEmpty();
            assertThat(journal.overdue("boot", 90_001)).hasSize(1);
            assertThat(journal.entries().getFirst().state()).isEqualTo(SandboxState.PAUSED);
            assertThat(journal.entries().getFirst().pausedNanos()).hasValue(3_000);
            journal.resumed(id, 60_000, 50_000);
            var entry = journal.entries().getFirst();
            assertThat(entry.state()).isEqualTo(SandboxState.RUNNING);
            assertThat(entry.pausedNanos()).isEmpty();
            assertThat(entry.deadlineNanos()).isEqualTo(60_000);
            assertThat(entry.commands().getFirst().deadlineNanos()).as("its time stood still").isEqualTo(54_000);
        }
    }

    @Test
    void aStoreOfTheFirstVersionIsRaised() throws Exception {
        var id = SandboxId.random(RANDOM);
        Path file = directory.resolve("node.db");
        try (var store = Store.open(file)) {
            new Journal(store).intend(entry(id));
            new Journal(store).over(receipt(SandboxId.random(RANDOM), "keeper"));
        }
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + file); var statement = connection.createStatement()) {
            for (String back : List.of("drop index receipt_tenant", "alter table sandbox drop column paused_nanos", "alter table receipt drop column tenant", "pragma user_version = 1")) {
                statement.execute(back);
            }
        }
        try (var store = Store.open(file)) {
            assertThat(new Journal(store).entries()).containsExactly(entry(id));
            assertThat(new Journal(store).receipts("default", 10)).hasSize(1);
            assertThat(new Journal(store).receipts("acme", 10)).isEmpty();
        }
    }

    @Test
    void onlyWhatIsPastItsLeaseOrFromAnotherBootIsOverdue() throws Exception {
        try (var store = Store.open(directory.resolve("node.db"))) {
            var journal = new Journal(store);
            journal.intend(entry(SandboxId.random(RANDOM)));
            assertThat(journal.overdue("boot", 5_000)).isEmpty();
            assertThat(journal.overdue("boot", 5_001)).hasSize(1);
            assertThat(journal.overdue("another boot", 0)).hasSize(1);
        }
    }

    @Test
    void manyWritersShareCommitsAndEachIsOnTheDisk() throws Exception {
        try (var store = Store.open(directory.resolve("node.db"))) {
            var journal = new Journal(store);
            var writers = new ArrayList<Thread>();
            for (int i = 0; i < 200; i++) {
                var id = SandboxId.random(RANDOM);
                writers.add(Thread.startVirtualThread(() -> {
                    try {
                        journal.intend(entry(id));
                    } catch (InterruptedException _) {
                        Thread.currentThread().interrupt();
                    }
                }));
            }
            for (Thread writer : writers) {
                writer.join();
            }
            assertThat(journal.entries()).hasSize(200);
            assertThat(journal.counter("created")).isEqualTo(200);
        }
    }

    @Test
    void refusesAStoreOfANewerVersion() throws Exception {
        Path file = directory.resolve("node.db");
        Store.open(file).close();
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + file); var statement = connection.createStatement()) {
            statement.execute("pragma user_version = 99");
        }
        var refused = catchThrowableOfType(SandboxException.class, () -> Store.open(file).close());
        assertThat(refused.code()).isEqualTo(Failure.Code.STORE_TOO_NEW);
        assertThat(refused).hasMessageContaining("99").hasMessageContaining(file.toString());
    }

    @Test
    @Tag("machine")
    void aFullDiskIsNamedAndTheStoreGoesOnWhenThereIsSpaceAgain() throws Exception {
        Path disk = Files.createDirectory(directory.resolve("disk"));
        must("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.toString());
        try (var store = Store.open(disk.resolve("node.db"))) {
            var journal = new Journal(store);
            Path ballast = Files.write(disk.resolve("ballast"), new byte[(int) disk.toFile().getUsableSpace()]);
            var refused = catchThrowableOfType(SandboxException.class, () -> {
                for (int i = 0; i < 100; i++) {
                    journal.intend(entry(SandboxId.random(RANDOM)));
                }
            });
            assertThat(refused.code()).isEqualTo(Failure.Code.HOST_DISK_FULL);
            Files.delete(ballast);
            journal.intend(entry(SandboxId.random(RANDOM)));
        } finally {
            must("umount", disk.toString());
        }
    }

    private static void must(String... command) throws Exception {
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as("%s: %s", String.join(" ", command), said).isZero();
    }

    @Test
    void uptimeIsSharedByProcessesOfOneBoot() throws Exception {
        var uptime = Uptime.ofThisBoot();
        // The first word of /proc/uptime is CLOCK_BOOTTIME, which differs from ours only by time the machine slept.
        double boot = Double.parseDouble(Files.readString(Path.of("/proc/uptime")).split(" ")[0]);
        assertThat(uptime.now() / 1e9).isBetween(0.0, boot + 1);
        assertThat(uptime.bootId()).isNotBlank();
        assertThat(uptime.until(uptime.in(Duration.ofSeconds(10)))).isBetween(Duration.ofSeconds(9), Duration.ofSeconds(10));
    }
}
