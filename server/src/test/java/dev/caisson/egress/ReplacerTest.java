package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class ReplacerTest {
    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static Replacer replacer(Map<String, String> pairs, List<String> found) {
        return new Replacer(pairs.entrySet().stream().map(each -> new Replacer.Pair(each.getKey(), bytes(each.getKey()), bytes(each.getValue()))).toList(), pair -> found.add(pair.name()));
    }

    /// The same without a stream: at each place the longest that fits.
    private static String plainly(Map<String, String> pairs, String text, List<String> found) {
        var longest = pairs.keySet().stream().sorted(Comparator.comparingInt(String::length).reversed()).toList();
        var result = new StringBuilder();
        int at = 0;
        while (at < text.length()) {
            int from = at;
            var fits = longest.stream().filter(each -> text.startsWith(each, from)).findFirst();
            result.append(fits.map(pairs::get).orElse(text.substring(at, at + 1)));
            at += fits.map(String::length).orElse(1);
            fits.ifPresent(found::add);
        }
        return result.toString();
    }

    @Test
    void piecesOfAnySizeAreReplacedLikeTheWhole() throws IOException {
        var random = new Random(11);
        int replaced = 0;
        for (int round = 0; round < 20_000; round++) {
            var pairs = new TreeMap<String, String>();
            int count = 1 + random.nextInt(4);
            for (int i = 0; i < count; i++) {
                pairs.put(word(random, 1 + random.nextInt(6)), word(random, random.nextInt(8)).toUpperCase(java.util.Locale.ROOT));
            }
            String text = word(random, random.nextInt(60));
            var expectedFound = new ArrayList<String>();
            String expected = plainly(pairs, text, expectedFound);
            var found = new ArrayList<String>();
            var replacer = replacer(pairs, found);
            var out = new ByteArrayOutputStream();
            byte[] all = bytes(text);
            for (int at = 0; at < all.length;) {
                int piece = Math.min(all.length - at, 1 + random.nextInt(10));
                replacer.write(all, at, piece, out::write);
                at += piece;
            }
            replacer.end(out::write);
            assertThat(out.toString(StandardCharsets.ISO_8859_1)).as("%s in '%s'", pairs, text).isEqualTo(expected);
            assertThat(found).isEqualTo(expectedFound);
            replaced += found.size();
        }
        assertThat(replaced).isGreaterThan(20_000);
    }

    private static String word(Random random, int length) {
        var word = new StringBuilder();
        for (int i = 0; i < length; i++) {
            word.append((char) ('a' + random.nextInt(3)));
        }
        return word.toString();
    }

    @Test
    void onlyWhatMayBeABeginningIsHeldBack() throws IOException {
        var replacer = replacer(Map.of("secret", "*"), new ArrayList<>());
        var out = new ByteArrayOutputStream();
        replacer.write(bytes("data: no s\n\n"), 0, 12, out::write);
        assertThat(out.toString(StandardCharsets.ISO_8859_1)).isEqualTo("data: no s\n\n");
        replacer.write(bytes("data: sec"), 0, 9, out::write);
        assertThat(out.toString(StandardCharsets.ISO_8859_1)).endsWith("data: ");
        replacer.write(bytes("tor"), 0, 3, out::write);
        assertThat(out.toString(StandardCharsets.ISO_8859_1)).endsWith("data: sector");
    }
}
