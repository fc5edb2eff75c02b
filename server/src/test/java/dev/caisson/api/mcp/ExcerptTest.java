package dev.caisson.api.mcp;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ExcerptTest {
    private static Excerpt of(int most, byte[] content, int piece) {
        var excerpt = new Excerpt(most);
        for (int at = 0; at < content.length; at += piece) {
            excerpt.add(ByteBuffer.wrap(content, at, Math.min(piece, content.length - at)).slice());
        }
        return excerpt;
    }

    @Test
    void whatFitsIsKeptWhole() {
        byte[] content = "0123456789".getBytes(StandardCharsets.UTF_8);
        for (int most = 10; most < 14; most++) {
            for (int piece = 1; piece < 12; piece++) {
                var excerpt = of(most, content, piece);
                assertThat(excerpt.text()).isEqualTo("0123456789");
                assertThat(excerpt.isTruncated()).isFalse();
                assertThat(excerpt.total()).isEqualTo(10);
            }
        }
    }

    @Test
    void keepsTheBeginningAndTheEndHoweverItCame() {
        var random = new Random(5);
        for (int round = 0; round < 2_000; round++) {
            var content = new byte[1 + random.nextInt(200)];
            for (int i = 0; i < content.length; i++) {
                content[i] = (byte) ('a' + random.nextInt(26));
            }
            int most = 1 + random.nextInt(60);
            var excerpt = of(most, content, 1 + random.nextInt(50));
            String whole = new String(content, StandardCharsets.UTF_8);
            int head = most - most / 2;
            String wanted = content.length <= most ? whole
                    : whole.substring(0, head) + "\n[… " + (content.length - most) + " bytes left out …]\n" + whole.substring(content.length - most / 2);
            assertThat(excerpt.text()).isEqualTo(wanted);
            assertThat(excerpt.total()).isEqualTo(content.length);
        }
    }

    @Test
    void noCharacterIsCut() {
        byte[] content = "äöü€😀".repeat(20).getBytes(StandardCharsets.UTF_8);
        for (int most = 2; most < 60; most++) {
            assertThat(of(most, content, 7).text()).doesNotContain("\uFFFD").contains("bytes left out");
        }
    }

    @Test
    void whatIsNoTextIsShownAsSuch() {
        assertThat(of(100, new byte[] {'a', 0, 27, (byte) 0xff, '\n', '\t', 'b'}, 3).text()).isEqualTo("a\uFFFD\uFFFD\uFFFD\n\tb");
    }
}
