package dev.caisson.sandbox;

import java.util.Locale;
import java.util.regex.Pattern;

/// An amount of memory, disk or output. Unit: bytes.
///
/// Written as a number with `KiB`, `MiB`, `GiB`, `TiB` (powers of 1,024), the short forms `k m g t` for the same, or `B`;
/// a bare number is bytes.
public record ByteSize(long bytes) implements Comparable<ByteSize> {
    private static final Pattern SHAPE = Pattern.compile("([0-9]{1,18})\\s*([kmgt]?)(i?b)?", Pattern.CASE_INSENSITIVE);

    public ByteSize {
        if (bytes < 0) {
            throw new IllegalArgumentException("a size cannot be negative: " + bytes);
        }
    }

    public static ByteSize kib(long count) {
        return new ByteSize(Math.multiplyExact(count, 1L << 10));
    }

    public static ByteSize mib(long count) {
        return new ByteSize(Math.multiplyExact(count, 1L << 20));
    }

    public static ByteSize gib(long count) {
        return new ByteSize(Math.multiplyExact(count, 1L << 30));
    }

    /// Reads `512MiB`, `1g`, `65536`; refuses anything else, and anything above 2^63-1 bytes.
    public static ByteSize parse(String text) {
        var match = SHAPE.matcher(text.strip());
        if (match.matches()) {
            int shift = switch (match.group(2).toLowerCase(Locale.ROOT)) {
                case "k" -> 10;
                case "m" -> 20;
                case "g" -> 30;
                case "t" -> 40;
                default -> 0;
            };
            long count = Long.parseLong(match.group(1));
            if (count <= Long.MAX_VALUE >> shift) {
                return new ByteSize(count << shift);
            }
        }
        throw Failure.Code.BAD_REQUEST.with("not a size: '" + Failure.shown(text) + "'", "write it like 512MiB or 2GiB");
    }

    @Override
    public int compareTo(ByteSize other) {
        return Long.compare(bytes, other.bytes);
    }

    /// The shortest exact form, such as `512MiB`; bytes where no unit divides it.
    @Override
    public String toString() {
        String[] units = {"TiB", "GiB", "MiB", "KiB"};
        for (int i = 0; i < units.length; i++) {
            long unit = 1L << (40 - 10 * i);
            if (bytes >= unit && bytes % unit == 0) {
                return bytes / unit + units[i];
            }
        }
        return bytes + "B";
    }
}
