package dev.caisson.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.TypeConversionException;

class AmountsTest {
    @Test
    void readsSizesWithTheirUnits() {
        assertThat(Amounts.bytes("65536")).isEqualTo(65_536);
        assertThat(Amounts.bytes("512MiB")).isEqualTo(512L << 20);
        assertThat(Amounts.bytes("1g")).isEqualTo(1L << 30);
        assertThat(Amounts.bytes("2 kb")).isEqualTo(2_048);
        assertThat(Amounts.bytes("7B")).isEqualTo(7);
    }

    @Test
    void refusesWhatIsNoSize() {
        for (String text : List.of("", "x", "-1", "1.5g", "1 m i b", "9999999999999999999", "9223372036854775807g", "1gx")) {
            assertThatThrownBy(() -> Amounts.bytes(text)).as(text).isInstanceOf(TypeConversionException.class).hasMessageContaining("'" + text + "'");
        }
    }

    @Test
    void readsTimesWithTheirUnits() {
        assertThat(Amounts.time("500ms")).isEqualTo(Duration.ofMillis(500));
        assertThat(Amounts.time("30s")).isEqualTo(Duration.ofSeconds(30));
        assertThat(Amounts.time("1.5h")).isEqualTo(Duration.ofMinutes(90));
        assertThat(Amounts.time("24h")).isEqualTo(Duration.ofHours(24));
        assertThat(Amounts.time("0.5s")).isEqualTo(Duration.ofMillis(500));
    }

    @Test
    void refusesATimeWithoutAUnitOrOutOfRange() {
        for (String text : List.of("", "30", "s", "-1s", "0s", "0ms", "25h", "1d", "1m30s", "1e3s", "99999999999s")) {
            assertThatThrownBy(() -> Amounts.time(text)).as(text).isInstanceOf(TypeConversionException.class).hasMessageContaining("'" + text + "'");
        }
    }

    @Test
    void showsAmountsToPeople() {
        assertThat(Amounts.shown(512)).isEqualTo("512 B");
        assertThat(Amounts.shown(47_500_000)).isEqualTo("45 MiB");
        assertThat(Amounts.shown(1_500_000)).isEqualTo("1.4 MiB");
        assertThat(Amounts.shown(Duration.ofNanos(1_230_000))).isEqualTo("1.2 ms");
        assertThat(Amounts.shown(Duration.ofMillis(134))).isEqualTo("134 ms");
        assertThat(Amounts.shown(Duration.ofMillis(2_440))).isEqualTo("2.4 s");
        assertThat(Amounts.shown(Duration.ofSeconds(200))).isEqualTo("3 min 20 s");
    }
}
