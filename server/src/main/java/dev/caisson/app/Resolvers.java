package dev.caisson.app;

import dev.caisson.egress.NameServers;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Where the gateway asks for names.
final class Resolvers {
    private static final int PORT = 53;
    /// IPv4 with or without a port, IPv6 in brackets with or without a port, or IPv6 alone.
    private static final Pattern WRITTEN = Pattern.compile(
            "(?:(?<four>[0-9]{1,3}(?:\\.[0-9]{1,3}){3})|\\[(?<six>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)])(?::(?<port>[0-9]{1,5}))?|(?<bare>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*)");

    private Resolvers() {}

    /// @param option addresses with commas between them, such as `192.0.2.53,[2001:db8::53]:5353`; absent: what the machine itself asks
    static List<InetSocketAddress> of(Optional<String> option) throws IOException {
        if (option.isEmpty()) {
            return NameServers.ofMachine();
        }
        var resolvers = new ArrayList<InetSocketAddress>();
        for (String text : option.get().split(",", -1)) {
            resolvers.add(parse(text));
        }
        return List.copyOf(resolvers);
    }

    private static InetSocketAddress parse(String text) {
        Matcher written = WRITTEN.matcher(text);
        try {
            if (written.matches()) {
                String address = Stream.of("four", "six", "bare").map(written::group).filter(Objects::nonNull).findFirst().orElseThrow();
                String port = written.group("port");
                if (port == null || Integer.parseInt(port) > 0) {
                    return new InetSocketAddress(InetAddress.ofLiteral(address), port == null ? PORT : Integer.parseInt(port));
                }
            }
        } catch (IllegalArgumentException e) {
            throw refused(text, e);
        }
        throw refused(text, null);
    }

    private static SandboxException refused(String text, @Nullable Exception cause) {
        return Failure.Code.BAD_REQUEST.with("not a resolver's address: '" + Failure.shown(text) + "'", "write it like 192.0.2.53 or [2001:db8::53]:53", cause);
    }
}
