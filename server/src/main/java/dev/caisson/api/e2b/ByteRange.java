package dev.caisson.api.e2b;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A part of a file.
///
/// @param offset first byte
/// @param length how many
record ByteRange(long offset, long length) {
    private static final Pattern SHAPE = Pattern.compile("bytes=([0-9]{0,18})-([0-9]{0,18})");

    /// What a `Range` header asks of a file of this size. Empty for none, and for a header that is passed over, as its definition wants of one that is not
    /// understood or asks for several parts.
    ///
    /// Errors: 416 when nothing of the part is there.
    static Optional<ByteRange> parse(String header, long size) {
        Matcher match = SHAPE.matcher(header);
        if (!match.matches() || match.group(1).isEmpty() && match.group(2).isEmpty()) {
            return Optional.empty();
        }
        long first;
        long last = size - 1;
        if (match.group(1).isEmpty()) {
            first = Math.max(0, size - Long.parseLong(match.group(2)));
        } else {
            first = Long.parseLong(match.group(1));
            if (!match.group(2).isEmpty()) {
                long asked = Long.parseLong(match.group(2));
                if (asked < first) {
                    return Optional.empty();
                }
                last = Math.min(last, asked);
            }
        }
        if (first >= size || last < first) {
            throw Refusal.beyond(size);
        }
        return Optional.of(new ByteRange(first, last - first + 1));
    }

    String contentRange(long size) {
        return "bytes " + offset + "-" + (offset + length - 1) + "/" + size;
    }
}
