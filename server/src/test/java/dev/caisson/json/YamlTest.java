package dev.caisson.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class YamlTest {
    @Test
    void isReadAsJsonIs() {
        var in = parse("text: a:b\nnumber: 443\nbig: 12345678901\nfraction: 1.5\ntruth: true\nnothing: null\nwords: [none, 8000-8100, '*.example.com', 192.0.2.7]\nobject: {a: b}\n");
        assertThat(in.text("text")).isEqualTo("a:b");
        assertThat(in.whole("number", 1, 65_535)).isEqualTo(443);
        assertThat(in.wholeOr("big", 0, Long.MAX_VALUE)).contains(12_345_678_901L);
        assertThat(in.number("fraction").orElseThrow()).isEqualByComparingTo("1.5");
        assertThat(in.truth("truth")).isTrue();
        assertThat(in.has("nothing")).isFalse();
        assertThat(in.texts("words").orElseThrow()).containsExactly("none", "8000-8100", "*.example.com", "192.0.2.7");
        assertThat(in.map("object")).containsEntry("a", "b");
        in.end();
        assertThat(parse("{\"a\":[1,\"b\"]}").textsOrNumbers("a").orElseThrow()).containsExactly("1", "b");
        assertThat(parse("").names()).isEmpty();
        assertThat(parse("# nothing\n").names()).isEmpty();
    }

    @Test
    void refusesWhatIsNotOnePlainObject() {
        for (String bad : List.of(
                "a", "[a]", "1", "a: b\na: c", "a: &x b\nc: *x", "a: *.example.com", "---\na: b\n---\nc: d", "a: [", "a: 'b", "1: b", "? [a]\n: b", "a: !!binary AAAA", "a: .nan", "a: .inf", "a:\tb\n\t- c",
                "a: " + "[".repeat(20) + "]".repeat(20), "a: " + "[".repeat(100_000), "a: !!java.lang.Runtime x", "\u0000", "a: " + "9".repeat(100))) {
            assertThatThrownBy(() -> parse(bad)).as(bad.length() > 40 ? bad.substring(0, 40) : bad).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.BAD_REQUEST));
        }
        assertThatThrownBy(() -> Yaml.parse(new byte[] {'a', ':', ' ', (byte) 0xc0})).isInstanceOf(SandboxException.class).hasMessageContaining("UTF-8");
        assertThatThrownBy(() -> Yaml.parse(new byte[Yaml.MAX_BYTES + 1])).isInstanceOf(SandboxException.class).hasMessageContaining("larger");
        assertThatThrownBy(() -> parse("x: y\na: *.example.com")).isInstanceOf(SandboxException.class).hasMessageContaining("line 2").hasMessageContaining("goes into quotes");
    }

    private static JsonObject parse(String text) {
        return Yaml.parse(text.getBytes(StandardCharsets.UTF_8));
    }
}
