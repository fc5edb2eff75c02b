package dev.caisson.runtime.firecracker;

import java.util.Optional;
import java.util.regex.Pattern;

/// A version of Firecracker's programs.
///
/// Supported: from 1.12, the first that restores a machine onto another tap, up to 2.0, which may change the API (docs/api-change-runbook.md in Firecracker's sources).
/// Seen to work: 1.12.1.
record FirecrackerVersion(int major, int minor, int patch) {
    static final String SUPPORTED = "1.12 or later, before 2.0";

    private static final Pattern FORM = Pattern.compile("(?:Firecracker|Jailer) v([0-9]{1,4})\\.([0-9]{1,4})\\.([0-9]{1,4})(?:[-+][0-9A-Za-z.+-]*)?");

    /// Reads what a program says when it is asked for its version: the first line that has one.
    static Optional<FirecrackerVersion> said(String text) {
        return text.lines().map(line -> FORM.matcher(line.strip())).filter(each -> each.matches()).findFirst()
                .map(each -> new FirecrackerVersion(Integer.parseInt(each.group(1)), Integer.parseInt(each.group(2)), Integer.parseInt(each.group(3))));
    }

    boolean isSupported() {
        return major == 1 && minor >= 12;
    }

    @Override
    public String toString() {
        return major + "." + minor + "." + patch;
    }
}
