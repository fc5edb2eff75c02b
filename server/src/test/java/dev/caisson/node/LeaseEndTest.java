package dev.caisson.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class LeaseEndTest {
    private final Uptime uptime = new Uptime("this boot");
    private Instant wall = Instant.parse("2026-01-01T00:00:00Z");
    private final LeaseEnd end = new LeaseEnd(uptime, () -> wall);

    @Test
    void isToldAlikeUntilTheLeaseChanges() {
        long deadline = uptime.in(Duration.ofMinutes(5));
        Instant told = end.at(deadline);
        wall = wall.plusMillis(3);
        assertThat(end.at(deadline)).isEqualTo(told);
        assertThat(end.at(deadline + 1_000_000_000)).isAfter(told);
    }

    @Test
    void followsAWallClockThatIsSet() {
        long deadline = uptime.in(Duration.ofMinutes(5));
        Instant told = end.at(deadline);
        wall = wall.plusSeconds(3600);
        assertThat(Duration.between(told, end.at(deadline))).isBetween(Duration.ofSeconds(3590), Duration.ofSeconds(3600));
    }
}
