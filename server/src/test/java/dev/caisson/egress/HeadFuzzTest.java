package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Heads that nobody thought of: seeded, so that each run tries the same ones.
class HeadFuzzTest {
    private static final Destination TO = new Destination("api.example.com", 443, true);
    private static final int ROUNDS = 60_000;
    private static final List<String> SEEDS = List.of(
            "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
            "POST /a/b?c=d HTTP/1.1\r\nHost: API.example.com:443\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
            "POST https://api.example.com/a HTTP/1.1\r\nHost: api.example.com.\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: api.example.com\r\nConnection: x, y\r\nX: 1\r\n\r\n",
            "GET /ws HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
            "GET /a%20b/%2e%2e/c HTTP/1.0\r\nHost: api.example.com\r\n\r\n");
    private static final List<String> PIECES = List.of(
            "\r\n", "\n", "\r", "\0", " ", "\t", ":", "%", "%2e", "%2f", "/", "..", "//", "\\", "@", "#", "?", "*", "Host: evil.test\r\n", "Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n", "Content_Length: 3\r\n",
            "Expect: 100-continue\r\n", "HTTP/1.1", "http://evil.test", "\u00ff", "\u0085", "\u007f", " \r\n", "\r\n\r\n", "GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n", ";", ",", "a".repeat(9000));

    private static final RelayOwner NOBODY = new RelayOwner() {
        @Override
        public boolean looksAtPaths() {
            return true;
        }

        @Override
        public Answer request(String method, String path) {
            return new Denied("none", "none");
        }

        @Override
        public Wire dial() throws IOException {
            throw new IOException("nobody");
        }

        @Override
        public void moved(int sent, int received) {}

        @Override
        public void answered(String method, String path, int status) {}

        @Override
        public void refused(int status, String reason) {}

        @Override
        public void placeholderSeen(String secret, String where) {}
    };

    private static String mutated(Random random) {
        var text = new StringBuilder(SEEDS.get(random.nextInt(SEEDS.size())));
        int changes = 1 + random.nextInt(4);
        for (int i = 0; i < changes; i++) {
            int at = random.nextInt(text.length());
            switch (random.nextInt(4)) {
                case 0 -> text.setCharAt(at, (char) random.nextInt(256));
                case 1 -> text.deleteCharAt(at);
                case 2 -> text.insert(at, PIECES.get(random.nextInt(PIECES.size())));
                default -> text.insert(at, text.substring(at, Math.min(text.length(), at + random.nextInt(30))));
            }
            if (text.isEmpty()) {
                return "";
            }
        }
        return text.toString();
    }

    private static HttpInput input(String text) {
        return new HttpInput(new ByteArrayInputStream(text.getBytes(StandardCharsets.ISO_8859_1)), _ -> {});
    }

    /// What would be sent, or empty when it is refused.
    private static String sent(String text, boolean strict) throws IOException {
        try {
            RequestHead head = HeadReader.request(input(text));
            var target = HttpTarget.of(head, TO, strict);
            var framing = Framing.of(head);
            return OutgoingRequest.of(head, target, TO, framing, new RequestSecrets(SandboxSecrets.NONE.at(TO), NOBODY)).head();
        } catch (BadHttp e) {
            assertThat(e.status()).isBetween(400, 505);
            return "";
        } catch (EOFException _) {
            return "";
        }
    }

    @Test
    void whatIsAcceptedIsReadAgainAsTheVerySameAndNothingElseIsThrown() throws IOException {
        var random = new Random(20260301);
        int accepted = 0;
        for (int i = 0; i < ROUNDS; i++) {
            String text = mutated(random);
            String once = sent(text, true);
            if (!once.isEmpty()) {
                accepted++;
                assertThat(sent(once, true)).as("%s", text).isEqualTo(once);
                assertThat(once).endsWith("\r\n\r\n").matches("(?s)[A-Z-]+ [\\x21-\\x7e]+ HTTP/1\\.1\\r\\nHost: api\\.example\\.com\\r\\n.*").doesNotContain("\0");
                assertThat(once.split("\r\n\r\n", -1)).hasSize(2);
                assertThat(once.replace("\r\n", "")).doesNotContain("\r", "\n");
                assertThat(once.lines().filter(line -> line.regionMatches(true, 0, "host:", 0, 5))).hasSize(1);
                assertThat(once.lines().filter(line -> line.matches("(?i)(content[-_]length|transfer[-_]encoding):.*")).count()).isLessThan(2);
                String path = once.substring(once.indexOf(' ') + 1, once.indexOf(" HTTP/1.1\r\n")).replaceAll("\\?.*", "");
                assertThat(path).doesNotContain("//", "\\", "%2e", "%2E", "%2f", "%2F").doesNotMatch(".*/\\.\\.?(/.*)?");
            }
        }
        assertThat(accepted).isBetween(ROUNDS / 20, ROUNDS - ROUNDS / 20);
    }

    @Test
    void answersAreReadOrRefusedAndNothingElseIsThrown() {
        var random = new Random(20260302);
        var seeds = List.of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", "HTTP/1.0 304 \r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n");
        int read = 0;
        for (int i = 0; i < ROUNDS; i++) {
            var text = new StringBuilder(seeds.get(random.nextInt(seeds.size())));
            for (int j = 0; j <= random.nextInt(3); j++) {
                text.insert(random.nextInt(text.length()), PIECES.get(random.nextInt(PIECES.size())));
                text.setCharAt(random.nextInt(text.length()), (char) random.nextInt(256));
            }
            try {
                var in = input(text.toString());
                ResponseHead head = HeadReader.response(in);
                var source = BodySource.of(Framing.of(head, false), in);
                byte[] piece = new byte[64];
                for (int count = source.read(piece, 0, 64); count >= 0; count = source.read(piece, 0, 64)) {
                    assertThat(count).isPositive();
                }
                read++;
            } catch (IOException e) {
                assertThat(e).isInstanceOfAny(BadHttp.class, EOFException.class);
            }
        }
        assertThat(read).isGreaterThan(ROUNDS / 50);
    }
}
