package dev.caisson.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class JsonTest {
    @Test
    void readsWhatItWrites() {
        String text = "{\"a\":[1,-0.5e+10,true,false,null,\"x\\\"\\\\\\n\\u0001é😀\"],\"b\":{},\"c\":[]}";
        assertThat(Json.parse(text).write()).isEqualTo(text);
        assertThat(Json.parse(Json.parse(text).pretty()).write()).isEqualTo(text);
    }

    @Test
    void keepsHugeNumbersAsTheyAreSpelled() {
        assertThat(Json.parse("[9007199254740993, 1e400]").write()).isEqualTo("[9007199254740993,1e400]");
        assertThat(Json.parseObject("{\"n\":9007199254740993}").whole("n")).isEqualTo(9_007_199_254_740_993L);
    }

    @Test
    void writesHalfACharacterAsAnEscape() {
        assertThat(Json.of("a\ud800b").write()).isEqualTo("\"a\\ud800b\"");
        assertThat(Json.parse("\"a\\ud800b\"")).isEqualTo(Json.of("a\ud800b"));
    }

    @Test
    void writesWholeDoublesWithoutAPoint() {
        assertThat(Json.of(300.0).write()).isEqualTo("300");
        assertThat(Json.of(0.25).write()).isEqualTo("0.25");
        assertThat(Json.of(1e-7).write()).isEqualTo("0.00000010");
    }

    @Test
    void refusesWhatRfc8259DoesNotAllow() {
        var wrong = List.of(
                "", " ", "{", "[", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "1.", ".5", "+1", "1e", "-", "nul", "truex", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\t\"", "[1] 2", "{\"a\" 1}",
                "\ufeff{}", "NaN", "[1 2]", "\"\\u٠٠٠٠\"");
        for (String text : wrong) {
            assertThatThrownBy(() -> Json.parse(text)).as(text).isInstanceOf(IllegalArgumentException.class).hasMessageStartingWith("not JSON");
        }
    }

    @Test
    void refusesARepeatedName() {
        assertThatThrownBy(() -> Json.parse("{\"a\":1,\"a\":1}")).hasMessageContaining("repeated");
    }

    @Test
    void refusesDepthBeforeTheStackDoes() {
        assertThatThrownBy(() -> Json.parse("[".repeat(1_000_000))).hasMessageContaining("32 levels");
        assertThat(Json.parse("[".repeat(32) + "]".repeat(32))).isInstanceOf(Json.Array.class);
    }

    @Test
    void saysWhichMemberIsWrong() {
        var object = Json.parseObject("{\"a\":\"x\",\"n\":null}");
        assertThatThrownBy(() -> object.whole("a")).hasMessage("'a' is not a number");
        assertThatThrownBy(() -> object.text("n")).hasMessage("'n' is not text");
        assertThat(object.text("n", "none")).isEqualTo("none");
    }
}
