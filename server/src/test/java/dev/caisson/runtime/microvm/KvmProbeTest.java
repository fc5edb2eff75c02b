package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KvmProbeTest {
    private static final String WHY = "KVM cannot run a guest here: emulation failure";

    @TempDir
    private Path directory;

    private Path boot;
    private final AtomicInteger trials = new AtomicInteger();

    @BeforeEach
    void bootTheHost() throws IOException {
        boot = Files.writeString(directory.resolve("boot_id"), "first\n");
    }

    private KvmProbe probe() {
        return new KvmProbe(directory.resolve("kvm"), boot);
    }

    private Optional<String> ask(KvmProbe probe, String key, Optional<String> answer) throws IOException, InterruptedException {
        return probe.unfit(key, scratch -> {
            trials.incrementAndGet();
            Files.writeString(scratch.resolve("console"), "something");
            return answer;
        });
    }

    @Test
    void asksOnceAndLeavesOnlyTheAnswer() throws Exception {
        var probe = probe();

        assertThat(ask(probe, "a", Optional.empty())).isEmpty();
        assertThat(ask(probe, "a", Optional.of(WHY))).isEmpty();

        assertThat(trials).hasValue(1);
        try (var files = Files.list(directory.resolve("kvm"))) {
            assertThat(files).hasSize(1);
        }
    }

    @Test
    void anotherProcessOfTheSameBootKnowsTheAnswer() throws Exception {
        ask(probe(), "a", Optional.of("KVM cannot run a guest here:\n emulation\u0007 failure"));

        assertThat(ask(probe(), "a", Optional.empty())).contains("KVM cannot run a guest here: emulation? failure");
        assertThat(trials).hasValue(1);
    }

    @Test
    void eachKeyHasItsAnswer() throws Exception {
        assertThat(ask(probe(), "a", Optional.of(WHY))).contains(WHY);
        assertThat(ask(probe(), "b", Optional.empty())).isEmpty();
    }

    @Test
    void asksAgainWhenTheHostHasBootedSince() throws Exception {
        ask(probe(), "a", Optional.of(WHY));
        Files.writeString(boot, "second\n");

        assertThat(ask(probe(), "a", Optional.empty())).isEmpty();
        assertThat(trials).hasValue(2);
    }

    @Test
    void aDamagedAnswerIsNone() throws Exception {
        ask(probe(), "a", Optional.of(WHY));
        try (var files = Files.list(directory.resolve("kvm"))) {
            Files.writeString(files.findFirst().orElseThrow(), "first\n");
        }

        assertThat(ask(probe(), "a", Optional.empty())).isEmpty();
    }

    @Test
    void whatWentWrongOnTheWayIsNotKeptForOthers() throws Exception {
        var probe = probe();
        KvmProbe.Trial failing = scratch -> {
            trials.incrementAndGet();
            throw new IOException("no room");
        };

        assertThat(probe.unfit("a", failing)).contains("cannot try a guest on KVM: no room");
        assertThat(probe.unfit("a", failing)).isPresent();
        assertThat(trials).hasValue(1);
        assertThat(ask(probe(), "a", Optional.empty())).isEmpty();
    }

    @Test
    void whoDoesNotWaitIsToldThatItIsBeingTriedAndWhoWaitsGetsTheAnswer() throws Exception {
        var probe = probe();
        var end = new CountDownLatch(1);
        KvmProbe.Trial slow = _ -> {
            trials.incrementAndGet();
            end.await();
            return Optional.of(WHY);
        };

        assertThat(probe.beingTried("a", slow).orElseThrow()).contains("being tried on KVM");
        assertThat(probe.beingTried("a", slow)).isPresent();
        var waiting = new FutureTask<>(() -> probe.unfit("a", slow));
        var waiter = Thread.ofVirtual().start(waiting);
        while (waiter.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        end.countDown();

        assertThat(waiting.get()).contains(WHY);
        assertThat(probe.beingTried("a", slow)).isEmpty();
        assertThat(trials).hasValue(1);
        assertThat(probe().beingTried("a", slow)).as("nor does the next process try it").isEmpty();
    }

    @Test
    void whoGivesUpWaitingDoesNotEndTheTrial() throws Exception {
        var probe = probe();
        var end = new CountDownLatch(1);
        KvmProbe.Trial slow = _ -> {
            trials.incrementAndGet();
            end.await();
            return Optional.empty();
        };
        var gaveUp = new FutureTask<>(() -> catchThrowable(() -> probe.unfit("a", slow)));
        Thread.ofVirtual().start(gaveUp).interrupt();
        assertThat(gaveUp.get()).isInstanceOf(InterruptedException.class);
        end.countDown();
        assertThat(probe.unfit("a", slow)).isEmpty();
        assertThat(trials).hasValue(1);
    }

    @Test
    void whatAKilledProcessLeftOfATrialGoesWithTheNext() throws Exception {
        var left = Files.createDirectories(directory.resolve("kvm/t1"));
        Files.writeString(left.resolve("console"), "half");
        var running = Files.createDirectories(directory.resolve("kvm/t2"));
        Files.setLastModifiedTime(left, FileTime.from(Instant.now().minus(Duration.ofHours(1))));
        ask(probe(), "a", Optional.empty());
        assertThat(left).doesNotExist();
        assertThat(running).exists();
    }

    @Test
    void theGuestsSignIsLookedForAndTheVmmsWordsAreTold() throws Exception {
        var console = Files.writeString(directory.resolve("console"), "booting\n" + KvmProbe.SIGN + "\n");
        var log = Files.writeString(directory.resolve("log"), "x".repeat(1000) + " emulation failure\n");

        assertThat(KvmProbe.judge(console, log)).isEmpty();
        assertThat(KvmProbe.judge(log, log).orElseThrow()).startsWith("KVM cannot run a guest here: x").endsWith("emulation failure").hasSizeLessThan(400);
    }
}
