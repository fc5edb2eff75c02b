package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.runtime.Driver;
import dev.caisson.runtime.Voice;
import dev.caisson.runtime.WarmUp;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// Templates of which no snapshot can be made: said so in time, and the next one comes up.
class TemplateTroubleTest extends MicrovmTest {
    private static final Duration PATIENCE = Duration.ofSeconds(4);

    private void assertFails(Driver driver, Optional<WarmUp> warmUp, Duration within, String... words) throws Exception {
        long begin = System.nanoTime();
        var boot = lab.plan(MicrovmLab.LIMITS, warmUp);
        assertThatThrownBy(() -> lab.boot(driver, boot)).isInstanceOf(IOException.class).hasMessageContainingAll(words);
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(within);
        lab.requireNothingLeft();
    }

    @Test
    void aGuestThatNeverDialsHomeIsGivenUp() throws Exception {
        lab.bootInstead("sleeps.c");
        try {
            assertFails(lab.driver(PATIENCE), Optional.empty(), Duration.ofSeconds(15), "did not say hello within 4.0 s");
        } finally {
            lab.bootAsBefore();
        }
        lab.requireThatOneComesUp(driver);
    }

    @Test
    void aGuestWhoseKernelPanicsIsNotWaitedFor() throws Exception {
        lab.bootInstead("panics.c");
        try {
            assertFails(lab.driver(), Optional.empty(), Duration.ofSeconds(20), "ended before it was ready", "its kernel gave up");
        } finally {
            lab.bootAsBefore();
        }
        lab.requireThatOneComesUp(driver);
    }

    @Test
    void aStartCommandThatEndsAtOnceIsSaidSo() throws Exception {
        assertFails(driver, Optional.of(new WarmUp("exit 7", "user", 8000, Duration.ofSeconds(60))), Duration.ofSeconds(20), "its start command ended before it was ready: exit 7");
    }

    @Test
    void aStartCommandThatNeverListensIsGivenUp() throws Exception {
        assertFails(driver, Optional.of(new WarmUp("sleep 1000", "user", 8000, PATIENCE)), Duration.ofSeconds(25), "nothing listened on port 8000 within 4 s");
    }

    @Test
    void aStartCommandOfNobodyIsSaidSo() throws Exception {
        assertFails(driver, Optional.of(new WarmUp("sleep 1000", "nosuchuser", 8000, PATIENCE)), Duration.ofSeconds(20), "a template's warm-up failed", "nosuchuser");
    }

    @Test
    void aStartCommandThatRestartsTheMachineIsSaidSo() throws Exception {
        assertFails(driver, Optional.of(new WarmUp("echo b > /proc/sysrq-trigger; sleep 1000", "root", 8000, Duration.ofSeconds(60))), Duration.ofSeconds(20), "ended before it was ready");
    }

    @Test
    void aStartCommandThatListensIsThereInEveryCopy() throws Exception {
        var warmUp = Optional.of(new WarmUp("exec python3 -c 'import _socket as s; a=s.socket(); a.bind((\"127.0.0.1\", 8000)); a.listen(); [a._accept() for _ in iter(int, 1)]'", "user", 8000, Duration.ofSeconds(60)));
        var sandbox = lab.boot(driver, lab.plan(MicrovmLab.LIMITS, warmUp));
        assertThat(sandbox.run("python3 -c 'import _socket as s; s.socket().connect((\"127.0.0.1\", 8000)); print(1)'")).isEqualTo(new Voice.Answer("1\n", 0));
    }
}
