package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a connection's first bytes are taken for.
class OpeningTest {
    private static Opening read(String text) {
        return Opening.read(ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1)));
    }

    @Test
    void knowsTls() throws Exception {
        byte[] hello = RealHellos.java("api.example.com");
        assertThat(Opening.read(ByteBuffer.wrap(hello))).isInstanceOf(Opening.Tls.class);
        assertThat(Opening.read(ByteBuffer.wrap(hello, 0, 2))).isInstanceOf(Opening.Tls.class);
        assertThat(Opening.read(ByteBuffer.wrap(hello, 0, 1))).isInstanceOf(Opening.NeedMore.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET ", "GET / HTTP/1.1\r\n", "POST /", "OPTIONS *", "CONNECT a:443", "M-SEARCH *", "VERSION-CONTROL /", "UPDATEREDIRECTREF /", "PRIX /"})
    void knowsHttp(String text) {
        assertThat(read(text)).isInstanceOf(Opening.Http.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\u0016", "G", "GET", "PRI", "SSH-", "EHLO", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
    void waitsForMore(String text) {
        assertThat(read(text)).isInstanceOf(Opening.NeedMore.class);
    }

    @ParameterizedTest
    @CsvSource(ignoreLeadingAndTrailingWhitespace = false, value = {
        "PRI * HTTP/2.0,HTTP/2 without TLS", "SSH-2.0-x y,SSH", "get / HTTP/1.1,neither", " GET / HTTP/1.1,neither", "GET\t/ HTTP/1.1,neither", "GET/,neither", "GE\u0000T /,neither",
        "-GET /,neither", "\u0016\u0002\u0001,version that does not exist", "\u0016G,version that does not exist", "\u0080\u002e\u0001\u0000\u0002,SSL 2", "\u0080\u002e,first byte is 0x80",
        "\u0005\u0001\u0000,neither", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,no method has more than 32 letters"})
    void refusesTheRestWithItsReason(String text, String reason) {
        assertThat(read(text)).isInstanceOfSatisfying(Opening.Neither.class, neither -> assertThat(neither.reason()).contains(reason));
    }

    @Test
    void decidesWithinItsBoundAndNeverChangesItsMind() {
        var random = new Random(7);
        for (int i = 0; i < 50_000; i++) {
            byte[] bytes = new byte[Opening.MAX_BYTES + random.nextInt(8)];
            for (int at = 0; at < bytes.length; at++) {
                bytes[at] = (byte) (random.nextInt(20) == 0 ? random.nextInt(256) : "GETPRI -\u0016\u0003".charAt(random.nextInt(10)));
            }
            var last = Opening.read(ByteBuffer.wrap(bytes));
            assertThat(last).isNotInstanceOf(Opening.NeedMore.class);
            for (int cut = 0; cut < bytes.length; cut++) {
                var early = Opening.read(ByteBuffer.wrap(bytes, 0, cut));
                if (!(early instanceof Opening.NeedMore)) {
                    assertThat(early.getClass()).isEqualTo(last.getClass());
                }
            }
        }
    }
}
