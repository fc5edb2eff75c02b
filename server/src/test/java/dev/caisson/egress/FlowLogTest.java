package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Flow;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class FlowLogTest {
    private static final Instant BEGAN = Instant.parse("2026-01-02T03:04:05Z");

    @TempDir
    private Path directory;

    private FlowLog open() throws Exception {
        return FlowLog.open(directory, "one", InstantSource.fixed(BEGAN));
    }

    private Path file() {
        return FlowLog.file(directory, "one");
    }

    private static Flow denied(String host, long atMillis) {
        Instant at = BEGAN.plusMillis(atMillis);
        return new Flow(0, at, at, host, "", 443, "tls", "", "request:default", false, "no rule allows it", 0, 0, 1);
    }

    private static Flow allowed(String host, long bytes) {
        return new Flow(0, BEGAN, BEGAN, host, "192.0.2.1", 443, "tls", "GET /{a}", "request:1", true, "", bytes, 1, 1);
    }

    @Test
    void numbersGoOnWhereAnEarlierGatewayStopped() throws Exception {
        try (var log = open()) {
            log.add(allowed("a.example", 10));
            log.add(allowed("b.example", 20));
        }
        try (var log = open()) {
            assertThat(log.bytes()).isEqualTo(32);
            log.add(allowed("c.example", 30));
            assertThat(log.after(0, 10)).extracting(Flow::number).containsExactly(1L, 2L, 3L);
            assertThat(log.after(2, 10)).extracting(Flow::host).containsExactly("c.example");
            assertThat(log.after(0, 1)).extracting(Flow::host).containsExactly("a.example");
        }
        assertThat(FlowLog.after(directory, "one", 1, 10)).extracting(Flow::host).containsExactly("b.example", "c.example");
        assertThat(FlowLog.after(directory, "never", 0, 10)).isEmpty();
    }

    @Test
    void denialsThatAreAlikeBecomeOneEntryEveryTenSeconds() throws Exception {
        try (var log = open()) {
            for (int i = 0; i < 250; i++) {
                log.add(denied("a.example", 100L * i));
            }
            // The first at once, then what came within 10 s each, and the rest when somebody asks.
            var flows = log.after(0, 100);
            assertThat(flows.stream().mapToLong(Flow::count).sum()).isEqualTo(250);
            assertThat(flows).hasSizeBetween(3, 6).allMatch(flow -> flow.host().equals("a.example") && !flow.allowed());
            assertThat(flows.getFirst()).extracting(Flow::count).isEqualTo(1L);
            assertThat(flows.getLast().ended()).isEqualTo(BEGAN.plusMillis(24_900));
            assertThat(flows).extracting(Flow::number).doesNotHaveDuplicates().isSorted();
        }
    }

    @Test
    void whatIsAllowedIsNeverHeldBack() throws Exception {
        try (var log = open()) {
            for (int i = 0; i < 100; i++) {
                log.add(allowed("a.example", 1));
            }
            assertThat(Files.readAllLines(file())).hasSize(100);
        }
    }

    @Test
    void aMillionDenialsStaySmall() throws Exception {
        try (var log = open()) {
            for (int i = 0; i < 1_000_000; i++) {
                log.add(denied("host" + i % 200 + ".example", i / 100));
            }
            assertThat(log.after(0, 2_000).stream().mapToLong(Flow::count).sum()).isEqualTo(1_000_000);
        }
        assertThat(Files.size(file())).isLessThan(200_000);
        assertThat(file().resolveSibling("one.jsonl.1")).doesNotExist();
    }

    @Test
    void aLogHasAtMostTwoFilesOfOneMebibyte() throws Exception {
        int entries = 12_000;
        try (var log = open()) {
            for (int i = 0; i < entries; i++) {
                log.add(allowed("host" + i + ".example", 1));
            }
            var all = log.after(0, entries);
            // The newest, without a gap.
            assertThat(all.getLast().number()).isEqualTo(entries);
            assertThat(all).hasSize((int) (entries - all.getFirst().number() + 1)).hasSizeLessThan(entries);
        }
        try (var files = Files.list(directory)) {
            assertThat(files.toList()).hasSize(2).allSatisfy(file -> assertThat(Files.size(file)).isBetween(100_000L, 1L << 20));
        }
        try (var log = open()) {
            log.add(allowed("last.example", 1));
            assertThat(log.after(entries, 10)).extracting(Flow::number).containsExactly(entries + 1L);
        }
    }

    @Test
    void aLastLineThatIsNotWholeCostsNobodyAnything() throws Exception {
        try (var log = open()) {
            log.add(allowed("a.example", 1));
            log.add(allowed("b.example", 1));
        }
        byte[] whole = Files.readAllBytes(file());
        int second = new String(whole, StandardCharsets.UTF_8).indexOf('\n') + 1;
        for (int cut = second; cut < whole.length; cut++) {
            Files.write(file(), java.util.Arrays.copyOf(whole, cut));
            try (var log = open()) {
                log.add(allowed("c.example", 1));
                assertThat(log.after(0, 10)).as("cut at %s", cut).extracting(Flow::host).containsExactly("a.example", "c.example");
                assertThat(log.after(0, 10)).extracting(Flow::number).containsExactly(1L, 2L);
            }
        }
    }

    @Test
    void damagedLinesArePassedOver() throws Exception {
        try (var log = open()) {
            log.add(allowed("a.example", 1));
        }
        var random = new Random(20260102);
        for (int i = 0; i < 200; i++) {
            byte[] garbage = new byte[random.nextInt(40)];
            random.nextBytes(garbage);
            Files.write(file(), garbage, StandardOpenOption.APPEND);
            Files.write(file(), "}\n".getBytes(StandardCharsets.UTF_8), StandardOpenOption.APPEND);
        }
        Files.write(file(), "{}\n[]\nnull\n{\"number\":-1}\n\n".getBytes(StandardCharsets.UTF_8), StandardOpenOption.APPEND);
        try (var log = open()) {
            log.add(allowed("b.example", 1));
            assertThat(log.after(0, 1000)).extracting(Flow::host).containsExactly("a.example", "b.example");
        }
    }

    @Test
    void longTextsAreCut() throws Exception {
        try (var log = open()) {
            log.add(new Flow(0, BEGAN, BEGAN, "a.example", "192.0.2.1", 443, "tls", "GET /" + "x".repeat(8_000), "request:1", true, "\n\"" + "\u00e9".repeat(1_000), 1, 1, 1));
            log.add(new Flow(0, BEGAN, BEGAN, "a.example", "", 443, "tls", "GET /" + "y".repeat(8_000), "request:1", false, "no", 0, 0, 1));
            assertThat(log.after(0, 10)).hasSize(2).allSatisfy(flow -> {
                assertThat(flow.request()).hasSizeLessThan(510).startsWith("GET /");
                assertThat(flow.reason()).hasSizeLessThan(510);
            });
        }
        assertThat(Files.size(file())).isLessThan(5_000);
    }

    @Test
    void manyThreadsLoseNothing() throws Exception {
        try (var log = open()) {
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                for (int i = 0; i < 8; i++) {
                    int thread = i;
                    threads.submit(() -> {
                        for (int j = 0; j < 100; j++) {
                            log.add(thread % 2 == 0 ? allowed("a" + j + ".example", 1) : denied("b" + j + ".example", j));
                        }
                    });
                }
            }
            var flows = log.after(0, 1000);
            assertThat(flows.stream().mapToLong(Flow::count).sum()).isEqualTo(800);
            assertThat(flows).extracting(Flow::number).doesNotHaveDuplicates().isSorted();
        }
    }

    @Test
    void logsOfSandboxesThatAreGoneAreKeptUntilTheyAreTooMuch() throws Exception {
        for (int i = 0; i < 10; i++) {
            Path file = Files.write(FlowLog.file(directory, "gone" + i), new byte[10_000]);
            Files.setLastModifiedTime(file, FileTime.from(BEGAN.plusSeconds(i)));
        }
        Path living = Files.write(FlowLog.file(directory, "living"), new byte[100_000]);
        Files.setLastModifiedTime(living, FileTime.from(BEGAN.minusSeconds(1)));
        FlowLogs.prune(directory, Set.of("living"), 11, 1_000_000);
        assertThat(directory.toFile().list()).hasSize(11);
        FlowLogs.prune(directory, Set.of("living"), 11, 35_000);
        assertThat(List.of(directory.toFile().list())).containsExactlyInAnyOrder("living.jsonl", "gone9.jsonl", "gone8.jsonl", "gone7.jsonl");
        FlowLogs.prune(directory, Set.of("living"), 1, 1_000_000);
        assertThat(List.of(directory.toFile().list())).containsExactlyInAnyOrder("living.jsonl", "gone9.jsonl");
    }
}
