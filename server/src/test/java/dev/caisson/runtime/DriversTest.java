package dev.caisson.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

/// Which driver a sandbox gets, and what is said of them, while it is not known yet what the host can run.
class DriversTest {
    private static final String TRYING = "it is being tried";

    /// What the host can run becomes known some time.
    private record Undecided(DriverName kind, CompletableFuture<Optional<String>> answer) implements Driver {
        @Override
        public String name() {
            return "fake-" + kind.label();
        }

        @Override
        public Optional<String> unfit() {
            return answer.join();
        }

        @Override
        public Optional<String> beingTried() {
            return answer.isDone() ? Optional.empty() : Optional.of(TRYING);
        }

        @Override
        public List<Resource> resources(Boot boot) {
            return List.of();
        }

        @Override
        public void boot(Boot boot) {
            throw new AssertionError("nothing is booted here");
        }

        @Override
        public void pause(Boot boot) {
            throw new AssertionError("nothing runs here");
        }

        @Override
        public void resume(Boot boot) {
            throw new AssertionError("nothing runs here");
        }
    }

    private final Undecided qemu = new Undecided(DriverName.QEMU, new CompletableFuture<>());
    private final Undecided gvisor = new Undecided(DriverName.GVISOR, CompletableFuture.completedFuture(Optional.empty()));
    private final Drivers drivers = new Drivers(List.of(gvisor, qemu));

    private static SandboxSpec spec(Tier tier) {
        return new SandboxSpec(SandboxSpec.defaults().template(), Trust.TRUSTED, tier, Limits.DEFAULT, Duration.ofMinutes(1), Map.of(), Map.of());
    }

    @Test
    void whatIsThereIsSaidWhileTheRestIsFoundOut() {
        var fit = DriverInfo.fit(DriverName.GVISOR, "fake-gvisor");
        assertThat(drivers.all()).containsExactly(DriverInfo.beingTried(DriverName.QEMU, "fake-qemu", TRYING), fit);
        assertThat(drivers.forNew(spec(Tier.GVISOR))).isEqualTo(gvisor);
        qemu.answer.complete(Optional.of("no KVM"));
        assertThat(drivers.all()).containsExactly(DriverInfo.unfit(DriverName.QEMU, "fake-qemu", "no KVM"), fit);
    }

    @Test
    void aSandboxThatDependsOnItWaits() throws Exception {
        var choosing = new FutureTask<>(() -> drivers.forNew(spec(Tier.MICROVM)));
        var thread = Thread.ofVirtual().start(choosing);
        while (thread.getState() != Thread.State.WAITING) {
            assertThat(choosing.isDone()).isFalse();
            Thread.onSpinWait();
        }
        qemu.answer.complete(Optional.empty());
        assertThat(choosing.get()).isEqualTo(qemu);
    }

    @Test
    void aRefusalSaysWhatIsThereWithoutWaitingForTheRest() {
        assertThatThrownBy(() -> drivers.forNew(spec(Tier.CONTAINER))).hasMessageContaining("no driver for tier container");
    }
}
