package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.EgressBudget;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SpendingTest {
    private static final long SECOND = 1_000_000_000L;

    private static Spending of(int connections, long bytes, int rate) {
        return new Spending(new EgressBudget(connections, new ByteSize(bytes), rate), 0, 5 * SECOND);
    }

    private static int granted(Spending spending, int asked, long nowNanos) {
        int granted = 0;
        for (int i = 0; i < asked; i++) {
            granted += spending.request(nowNanos) ? 1 : 0;
        }
        return granted;
    }

    @Test
    void tenSecondsWorthMayComeAtOnceAndThenTheRate() {
        var spending = of(1, 0, 3);
        assertThat(granted(spending, 100, 5 * SECOND)).isEqualTo(30);
        assertThat(granted(spending, 100, 6 * SECOND)).isEqualTo(3);
        assertThat(granted(spending, 100, 6 * SECOND + SECOND / 2)).isEqualTo(1);
        assertThat(granted(spending, 100, 7 * SECOND)).isEqualTo(2);
        // However long it was quiet, never more than the burst.
        assertThat(granted(spending, 1000, 1_000_000 * SECOND)).isEqualTo(30);
    }

    @Test
    void aClockThatStandsStillOrGoesBackGivesNothing() {
        var spending = of(1, 0, 1);
        assertThat(granted(spending, 100, 5 * SECOND)).isEqualTo(10);
        assertThat(granted(spending, 100, 4 * SECOND)).isZero();
        assertThat(granted(spending, 100, 5 * SECOND)).isLessThanOrEqualTo(1);
    }

    @Test
    void aChangedRateHoldsFromThenOn() {
        var spending = of(1, 0, 100);
        spending.change(new EgressBudget(1, new ByteSize(0), 1));
        assertThat(granted(spending, 5000, 5 * SECOND)).isEqualTo(10);
        spending.change(new EgressBudget(1, new ByteSize(0), 100));
        assertThat(granted(spending, 5000, 5 * SECOND)).as("nothing for the change itself").isZero();
        assertThat(granted(spending, 5000, 6 * SECOND)).isEqualTo(100);
    }

    @Test
    void connectionsGiveTheirRoomBack() {
        var spending = of(2, 0, 1);
        assertThat(spending.open()).isTrue();
        assertThat(spending.open()).isTrue();
        assertThat(spending.open()).isFalse();
        spending.closed();
        assertThat(spending.open()).isTrue();
        // Fewer than are open: none until enough have closed.
        spending.change(new EgressBudget(1, new ByteSize(0), 1));
        spending.closed();
        assertThat(spending.open()).isFalse();
        spending.closed();
        assertThat(spending.open()).isTrue();
    }

    @Test
    void bytesAreCountedToTheLastAndNeverBeyond() {
        var spending = of(1, 1000, 1);
        assertThat(spending.bytes(999)).isTrue();
        assertThat(spending.bytes(1)).isTrue();
        assertThat(spending.isSpent()).isTrue();
        assertThat(spending.bytes(1)).isFalse();
        var another = of(1, 1000, 1);
        assertThat(another.bytes(900)).isTrue();
        assertThat(another.bytes(101)).isFalse();
        // What was too much spends the rest: nothing trickles through behind it.
        assertThat(another.bytes(1)).isFalse();
        assertThat(another.isSpent()).isTrue();
        another.change(new EgressBudget(1, new ByteSize(2000), 1));
        assertThat(another.isSpent()).isFalse();
        assertThat(another.bytes(1000)).isTrue();
    }

    @Test
    void whatAnEarlierGatewayCountedCounts() {
        var spending = new Spending(new EgressBudget(1, new ByteSize(1000), 1), 990, 0);
        assertThat(spending.bytes(10)).isTrue();
        assertThat(spending.bytes(1)).isFalse();
        assertThat(new Spending(new EgressBudget(1, new ByteSize(1000), 1), 5000, 0).isSpent()).isTrue();
        assertThat(new Spending(new EgressBudget(1, new ByteSize(0), 1), Long.MAX_VALUE / 2, 0).bytes(1 << 30)).as("no bound").isTrue();
    }

    @Test
    void manyThreadsGetNoMoreThanThereIs() {
        var spending = of(50, 0, 100);
        var requests = new AtomicInteger();
        var open = new AtomicInteger();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 20; i++) {
                threads.submit(() -> {
                    requests.addAndGet(granted(spending, 200, 5 * SECOND));
                    for (int j = 0; j < 20; j++) {
                        open.addAndGet(spending.open() ? 1 : 0);
                    }
                });
            }
        }
        assertThat(requests).hasValue(1000);
        assertThat(open).hasValue(50);
    }
}
