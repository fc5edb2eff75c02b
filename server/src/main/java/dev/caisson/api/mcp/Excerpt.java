package dev.caisson.api.mcp;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// What is kept of an output that may be longer than a model wants to read: its beginning and its end.
///
/// Holds `most` bytes, however much comes. Threads: one at a time.
final class Excerpt {
    private final byte[] head;
    private final byte[] tail;
    private long total;

    Excerpt(int most) {
        head = new byte[most - most / 2];
        tail = new byte[most / 2];
    }

    void add(ByteBuffer data) {
        if (total < head.length) {
            int count = (int) Math.min(head.length - total, data.remaining());
            data.get(head, (int) total, count);
            total += count;
        }
        if (data.remaining() > tail.length) {
            total += data.remaining() - tail.length;
            data.position(data.limit() - tail.length);
        }
        while (data.hasRemaining()) {
            int at = (int) ((total - head.length) % tail.length);
            int count = Math.min(data.remaining(), tail.length - at);
            data.get(tail, at, count);
            total += count;
        }
    }

    long total() {
        return total;
    }

    boolean isTruncated() {
        return total > head.length + tail.length;
    }

    /// As text: bytes that are no UTF-8, and control characters, are shown as U+FFFD; where something was left out a line says how much.
    String text() {
        int kept = (int) Math.min(head.length, total);
        if (total <= head.length) {
            return clean(head, 0, kept);
        }
        long behind = total - head.length;
        var ordered = new byte[(int) Math.min(tail.length, behind)];
        for (int i = 0; i < ordered.length; i++) {
            ordered[i] = tail[(int) ((behind - ordered.length + i) % tail.length)];
        }
        if (!isTruncated()) {
            var whole = new byte[kept + ordered.length];
            System.arraycopy(head, 0, whole, 0, kept);
            System.arraycopy(ordered, 0, whole, kept, ordered.length);
            return clean(whole, 0, whole.length);
        }
        int end = kept;
        while (end > 0 && end > kept - 3 && (head[end - 1] & 0xC0) == 0x80) {
            end--;
        }
        end = end > 0 && (head[end - 1] & 0xC0) == 0xC0 ? end - 1 : kept;
        int begin = 0;
        while (begin < ordered.length && begin < 3 && (ordered[begin] & 0xC0) == 0x80) {
            begin++;
        }
        long left = total - end - (ordered.length - begin);
        return clean(head, 0, end) + "\n[… " + left + " bytes left out …]\n" + clean(ordered, begin, ordered.length - begin);
    }

    private static String clean(byte[] bytes, int from, int count) {
        var text = new StringBuilder(new String(bytes, from, count, StandardCharsets.UTF_8));
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f) {
                text.setCharAt(i, '\uFFFD');
            }
        }
        return text.toString();
    }
}
