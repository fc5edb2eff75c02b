package dev.caisson.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.UsageSample;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Shell;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What a sandbox uses is written down every 5 seconds, from the first moment on.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class SamplesTest {
    @RegisterExtension
    static final Installation HOUSE = new Installation();

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aSampleIsThereAtOnceAndTheNextOnesTellWhatIsDone(Tier tier) throws Exception {
        var shell = HOUSE.shell(tier);
        var node = HOUSE.node();
        var limits = Shell.spec(tier).limits();
        List<UsageSample> first = samples(shell);
        assertThat(first).isNotEmpty();
        assertThat(first.getFirst().memoryTotal()).isEqualTo(limits.memory());
        assertThat(first.getFirst().diskTotal()).isEqualTo(limits.disk());
        assertThat(first.getFirst().memoryUsed().bytes()).isPositive();
        assertThat(first.getFirst().cpuUsedPercent()).isPositive();

        shell.bash("head -c 50000000 /dev/urandom > /home/user/big");
        try (var busy = node.run(shell.id(), CommandSpec.of("python3", "-c", "x = bytearray(100 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nwhile True: pass"))) {
            assertThat(busy.next()).isInstanceOf(CommandEvent.Started.class);
            // A period in which it was busy all the time, and the disk's figure of the period before.
            Thread.sleep(16_000);
        }
        UsageSample late = samples(shell).getLast();
        assertThat(samples(shell)).hasSizeGreaterThanOrEqualTo(3).isSortedAccordingTo(java.util.Comparator.comparing(UsageSample::at));
        // A machine that is busy with other things may give it little.
        assertThat(late.cpuUsedPercent()).isBetween(3.0, 130.0);
        assertThat(late.memoryUsed().bytes()).isBetween(ByteSize.mib(100).bytes(), limits.memory().bytes());
        assertThat(late.diskUsed().bytes()).isBetween(50_000_000L, 80_000_000L);
        assertThat(node.samples(shell.id(), late.at(), late.at())).containsExactly(late);
        assertThat(node.samples(shell.id(), Instant.EPOCH, Instant.EPOCH.plusSeconds(1))).isEmpty();

        node.pause(shell.id());
        Thread.sleep(10_500);
        assertThat(samples(shell).getLast().cpuUsedPercent()).as("while paused").isZero();
        assertThat(samples(shell).getLast().diskUsed().bytes()).isGreaterThan(50_000_000L);
    }

    private static List<UsageSample> samples(Shell shell) {
        return HOUSE.node().samples(shell.id(), Instant.EPOCH, Instant.now().plusSeconds(60));
    }
}
