package dev.caisson.egress;

import java.io.IOException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Replaces texts in bytes that flow by. Only what may be the beginning of one of them is held back.
///
/// Threads: one at a time.
final class Replacer {
    /// @param name for whoever is told that it was found
    record Pair(String name, byte[] from, byte[] to) {}

    /// Those that begin with the same byte, the longest first.
    ///
    /// @param common how many bytes all of them have in common at least
    private record Group(List<Pair> pairs, int common) {}

    private static final byte[] NOTHING = new byte[0];

    private final @Nullable Group[] groups = new Group[256];
    private final Consumer<Pair> found;
    private byte[] held = NOTHING;

    /// @param found told of each replacement
    Replacer(List<Pair> pairs, Consumer<Pair> found) {
        this.found = found;
        for (Pair pair : pairs) {
            int first = pair.from[0] & 0xff;
            if (groups[first] == null) {
                var alike = pairs.stream().filter(each -> (each.from[0] & 0xff) == first).sorted(Comparator.comparingInt((Pair each) -> each.from.length).reversed()).toList();
                byte[] shortest = alike.getLast().from;
                int common = shortest.length;
                for (Pair each : alike) {
                    int differs = Arrays.mismatch(shortest, each.from);
                    common = differs < 0 ? common : Math.min(common, differs);
                }
                groups[first] = new Group(alike, common);
            }
        }
    }

    void write(byte[] bytes, int offset, int length, ByteSink out) throws IOException {
        if (held.length == 0) {
            scan(bytes, offset, offset + length, false, out);
            return;
        }
        byte[] joined = Arrays.copyOf(held, held.length + length);
        System.arraycopy(bytes, offset, joined, held.length, length);
        held = NOTHING;
        scan(joined, 0, joined.length, false, out);
    }

    /// Nothing follows: what was held back is written.
    void end(ByteSink out) throws IOException {
        byte[] rest = held;
        held = NOTHING;
        scan(rest, 0, rest.length, true, out);
    }

    /// @param last nothing follows, so no text can go on after `to`
    private void scan(byte[] bytes, int offset, int to, boolean last, ByteSink out) throws IOException {
        int written = offset;
        int at = offset;
        while (at < to) {
            Group group = groups[bytes[at] & 0xff];
            if (group == null || !mayBegin(group, bytes, at, to)) {
                at++;
                continue;
            }
            Pair whole = null;
            for (Pair pair : group.pairs) {
                int there = Math.min(pair.from.length, to - at);
                if (there < pair.from.length && last || !Arrays.equals(bytes, at, at + there, pair.from, 0, there)) {
                    continue;
                }
                if (there < pair.from.length) {
                    out.write(bytes, written, at - written);
                    held = Arrays.copyOfRange(bytes, at, to);
                    return;
                }
                whole = pair;
                break;
            }
            if (whole == null) {
                at++;
                continue;
            }
            out.write(bytes, written, at - written);
            out.write(whole.to, 0, whole.to.length);
            found.accept(whole);
            at += whole.from.length;
            written = at;
        }
        out.write(bytes, written, to - written);
    }

    private static boolean mayBegin(Group group, byte[] bytes, int at, int to) {
        int there = Math.min(group.common, to - at);
        byte[] one = group.pairs.getFirst().from;
        for (int i = 1; i < there; i++) {
            if (bytes[at + i] != one[i]) {
                return false;
            }
        }
        return true;
    }
}
