package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/// How fast this host's time stamp counter counts, which an emulated guest's does too. The guest has nothing to measure it by, and does not come up without it.
///
/// @param root where /proc and /sys are
record TscRate(Path root) {
    private static final Pattern MHZ = Pattern.compile("(?m)^cpu MHz\\s*:\\s*(\\d{1,6}(?:\\.\\d{1,6})?)$");
    private static final Pattern NAMED = Pattern.compile("(?m)^model name\\s*:.*@ (\\d{1,2}\\.\\d{1,3})GHz$");
    private static final Pattern HYPERVISOR = Pattern.compile("(?m)^flags\\s*:.*\\bhypervisor\\b");
    private static final String CPU = "sys/devices/system/cpu/cpu0/";

    /// In kHz; empty when this host does not tell.
    Optional<Long> kilohertz() {
        String cpu = text("proc/cpuinfo");
        // A virtual machine's is told to it, and is what it shows; a real one shows the speed of the moment.
        if (HYPERVISOR.matcher(cpu).find()) {
            return number(MHZ, cpu, 3);
        }
        return whole(CPU + "cpufreq/base_frequency", 0).or(() -> whole(CPU + "acpi_cppc/nominal_freq", 3)).or(() -> number(NAMED, cpu, 6));
    }

    private Optional<Long> whole(String file, int shift) {
        String text = text(file).strip();
        return text.matches("[1-9]\\d{0,9}") ? Optional.of(scaled(text, shift)) : Optional.empty();
    }

    private static Optional<Long> number(Pattern pattern, String text, int shift) {
        var match = pattern.matcher(text);
        return match.find() ? Optional.of(scaled(match.group(1), shift)) : Optional.empty();
    }

    private static long scaled(String number, int shift) {
        return new BigDecimal(number).movePointRight(shift).setScale(0, RoundingMode.HALF_UP).longValueExact();
    }

    private String text(String file) {
        try {
            return Files.readString(root.resolve(file));
        } catch (IOException _) {
            return "";
        }
    }
}
