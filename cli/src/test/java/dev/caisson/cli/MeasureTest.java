package dev.caisson.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class MeasureTest {
    @Test
    void aRatioIsHeldAgainstItsTarget() {
        assertThat(Measure.Figure.ratio(114, 100, "ms", 1.15).met()).isTrue();
        assertThat(Measure.Figure.ratio(116, 100, "ms", 1.15).met()).isFalse();
    }

    @Test
    void whatCannotBeHeldAgainstAnythingIsNotMet() {
        assertThat(new Measure.Figure(1, OptionalDouble.empty(), "ms", 1.15, true, false, "").met()).isFalse();
    }

    @Test
    void printsOneObject() {
        assertThat(Measure.Figure.atLeast(250.12345, "MB/s", 200).json("x").write()).isEqualTo("{\"name\":\"x\",\"ours\":250.123,\"bare\":null,\"unit\":\"MB/s\",\"ratio\":null,\"target\":200,\"met\":true}");
        assertThat(Measure.Figure.ratio(3, 2, "ms", 1.15).json("x").write()).isEqualTo("{\"name\":\"x\",\"ours\":3,\"bare\":2,\"unit\":\"ms\",\"ratio\":1.5,\"target\":1.15,\"met\":false}");
    }
}
