package dev.caisson.runtime.qemu;

import java.util.Comparator;
import java.util.Optional;
import java.util.regex.Pattern;

/// A release of QEMU.
///
/// @param text what the program says of itself in its first line, a distribution's own release included
record QemuVersion(int major, int minor, String text) implements Comparable<QemuVersion> {
    /// The oldest that was tried: `x-ignore-shared`, PVH boot and a `microvm` machine that freezes.
    static final QemuVersion OLDEST = new QemuVersion(7, 2, "7.2");

    private static final Pattern SAID = Pattern.compile("QEMU emulator version (\\d{1,3})\\.(\\d{1,3})\\.[\\x20-\\x7e]{1,120}");
    private static final Comparator<QemuVersion> ORDER = Comparator.comparingInt(QemuVersion::major).thenComparingInt(QemuVersion::minor);

    /// Reads the answer to `--version`; empty when it is something else.
    static Optional<QemuVersion> said(String answer) {
        String first = answer.lines().findFirst().orElse("").strip();
        var match = SAID.matcher(first);
        return match.matches()
                ? Optional.of(new QemuVersion(Integer.parseInt(match.group(1)), Integer.parseInt(match.group(2)), first.substring("QEMU emulator version ".length())))
                : Optional.empty();
    }

    boolean isSupported() {
        return compareTo(OLDEST) >= 0;
    }

    @Override
    public int compareTo(QemuVersion other) {
        return ORDER.compare(this, other);
    }
}
