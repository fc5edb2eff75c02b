package dev.caisson.cli;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// How sizes and times are written on the command line, and shown to people.
final class Amounts {
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,18})\\s*([kmgt]?)(i?b)?", Pattern.CASE_INSENSITIVE);
    private static final Pattern TIME = Pattern.compile("([0-9]{1,9}(?:\\.[0-9]{1,9})?)(ms|s|m|h)");

    private Amounts() {}

    /// Bytes: `512MiB`, `1g`, `65536`; units are powers of 1,024.
    static long bytes(String text) {
        var match = SIZE.matcher(text.strip());
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
                return count << shift;
            }
        }
        throw new TypeConversionException("'" + text + "' is not a size (write it like 512MiB or 2GiB)");
    }

    /// A time with its unit: `500ms`, `30s`, `5m`, `1.5h`; above 0 and at most 24 hours.
    static Duration time(String text) {
        var match = TIME.matcher(text.strip());
        if (!match.matches()) {
            throw new TypeConversionException("'" + text + "' is not a time (write it like 500ms, 30s, 5m or 1h)");
        }
        long unit = switch (match.group(2)) {
            case "ms" -> 1_000_000L;
            case "s" -> 1_000_000_000L;
            case "m" -> 60_000_000_000L;
            default -> 3_600_000_000_000L;
        };
        var nanos = new BigDecimal(match.group(1)).multiply(BigDecimal.valueOf(unit));
        if (nanos.signum() == 0 || nanos.compareTo(BigDecimal.valueOf(Duration.ofHours(24).toNanos())) > 0) {
            throw new TypeConversionException("'" + text + "' is out of range (a time is above 0 and at most 24h)");
        }
        return Duration.ofNanos(nanos.longValue());
    }

    static final class Size implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            return bytes(text);
        }
    }

    static final class Time implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            return time(text);
        }
    }

    /// `45.3 MiB`; for people.
    static String shown(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        String[] units = {"KiB", "MiB", "GiB", "TiB"};
        double amount = bytes;
        int unit = -1;
        while (amount >= 1024 && unit < units.length - 1) {
            amount /= 1024;
            unit++;
        }
        return oneDigit(amount, amount < 10) + " " + units[unit];
    }

    /// `134 ms`, `2.4 s`, `3 min 20 s`; for people.
    static String shown(Duration time) {
        double millis = time.toNanos() / 1e6;
        if (millis < 10) {
            return oneDigit(millis, true) + " ms";
        }
        if (millis < 1_000) {
            return Math.round(millis) + " ms";
        }
        if (millis < 100_000) {
            return oneDigit(millis / 1000, true) + " s";
        }
        long seconds = time.toSeconds();
        return seconds < 3600 ? seconds / 60 + " min " + seconds % 60 + " s" : seconds / 3600 + " h " + seconds / 60 % 60 + " min";
    }

    /// One digit after the point when asked for and not zero. Not `String.format`, whose first call costs 20 ms.
    private static String oneDigit(double amount, boolean digit) {
        long tenths = Math.round(amount * (digit ? 10 : 1));
        return !digit ? Long.toString(tenths) : tenths % 10 == 0 ? Long.toString(tenths / 10) : tenths / 10 + "." + tenths % 10;
    }
}
