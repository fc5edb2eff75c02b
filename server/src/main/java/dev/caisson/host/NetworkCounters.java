package dev.caisson.host;

import java.util.Arrays;
import java.util.List;

/// Reads the kernel's counters of one network namespace.
final class NetworkCounters {
    private NetworkCounters() {}

    /// Packets of both IP versions that were refused for want of a route, out of the texts of `net/snmp` and `net/snmp6`.
    static long noRoute(String snmp, String snmp6) {
        long v4 = 0;
        List<String> names = List.of();
        for (String line : snmp.split("\n")) {
            if (!line.startsWith("Ip:")) {
                continue;
            }
            var words = Arrays.asList(line.split(" +"));
            if (names.isEmpty()) {
                names = words;
            } else {
                int at = names.indexOf("OutNoRoutes");
                v4 = at < 0 ? 0 : Long.parseLong(words.get(at));
            }
        }
        long v6 = snmp6.lines().filter(line -> line.startsWith("Ip6OutNoRoutes")).mapToLong(line -> Long.parseLong(line.split("\\s+")[1])).sum();
        return v4 + v6;
    }
}
