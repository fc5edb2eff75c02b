package dev.caisson.runtime.microvm;

import dev.caisson.host.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What of this host's processor and kernel a guest sees that has been given all of it: a frozen one may have chosen its instructions by it.
public final class HostCpu {
    private static final List<String> NAMES = List.of("vendor_id", "cpu family", "model", "stepping", "microcode");

    private HostCpu() {}

    /// One line, such as `GenuineIntel 6 167 1 0x1, features 0123456789abcdef, kernel 6.12.4`.
    public static String line() throws IOException {
        return line(Files.readString(Path.of("/proc/cpuinfo")), Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip());
    }

    /// @param cpuinfo the text of `/proc/cpuinfo`; the first processor speaks for all
    static String line(String cpuinfo, String kernel) {
        Map<String, String> values = new TreeMap<>();
        cpuinfo.lines().takeWhile(line -> !line.isBlank()).forEach(line -> {
            int colon = line.indexOf(':');
            if (colon > 0) {
                values.put(line.substring(0, colon).strip(), line.substring(colon + 1).strip());
            }
        });
        var model = NAMES.stream().map(name -> values.getOrDefault(name, "?")).toList();
        return String.join(" ", model) + ", features " + Sha256.of(values.getOrDefault("flags", "?")).substring(0, 16) + ", kernel " + kernel;
    }
}
