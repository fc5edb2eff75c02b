package dev.caisson.sandbox;

import java.math.BigDecimal;

/// CPU time a sandbox may use per second of wall time. Unit: thousandths of one CPU.
public record Cpus(int millis) {
    public static final int MIN_MILLIS = 10;
    public static final int MAX_MILLIS = 256_000;

    public Cpus {
        if (millis < MIN_MILLIS || millis > MAX_MILLIS) {
            throw Failure.Code.OUT_OF_RANGE.with("cpus must be 0.01 to 256, got " + millis / 1000.0, "ask for a share in that range");
        }
    }

    /// Reads `2` or `0.5`.
    public static Cpus parse(String text) {
        try {
            return new Cpus(new BigDecimal(text.strip()).movePointRight(3).intValueExact());
        } catch (ArithmeticException | NumberFormatException _) {
            throw Failure.Code.BAD_REQUEST.with("not a number of CPUs: '" + Failure.shown(text) + "'", "write it like 2 or 0.5");
        }
    }

    @Override
    public String toString() {
        return BigDecimal.valueOf(millis, 3).stripTrailingZeros().toPlainString();
    }
}
