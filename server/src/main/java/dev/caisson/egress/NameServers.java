package dev.caisson.egress;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The resolvers that a machine uses.
public final class NameServers {
    private static final int PORT = 53;
    private static final int MOST = 3;

    private NameServers() {}

    /// Those of the machine that this runs on; none where it says none.
    public static List<InetSocketAddress> ofMachine() throws IOException {
        Path file = Path.of("/etc/resolv.conf");
        return Files.exists(file) ? of(file) : List.of();
    }

    /// The first three of a resolv.conf, in order; search domains and options are not taken.
    ///
    /// Source: resolv.conf(5).
    static List<InetSocketAddress> of(Path resolvConf) throws IOException {
        var found = new ArrayList<InetSocketAddress>();
        for (String line : Files.readAllLines(resolvConf)) {
            String[] words = line.strip().split("\\s+");
            if (words.length >= 2 && words[0].equals("nameserver") && found.size() < MOST) {
                try {
                    found.add(new InetSocketAddress(InetAddress.ofLiteral(words[1]), PORT));
                } catch (IllegalArgumentException _) {
                    // As the C library does: what is no address is passed over.
                }
            }
        }
        return found;
    }
}
