package dev.caisson.app;

import dev.caisson.egress.NameServers;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Where the gateway asks for names.
final class Resolvers {
    private static final int PORT = 53;

    private Resolvers() {}

    /// @param option addresses with commas between them, such as `192.0.2.53,[2001:db8::53]:5353`; absent: what the machine itself asks
    static List<InetSocketAddress> of(Optional<String> option) throws IOException {
        if (option.isEmpty()) {
            return NameServers.ofMachine();
        }
        var resolvers = new ArrayList<InetSocketAddress>();
        for (String text : option.get().split(",")) {
            resolvers.add(parse(text));
        }
        return List.copyOf(resolvers);
    }

    private static InetSocketAddress parse(String text) {
        try {
            int colon = text.lastIndexOf(':');
            boolean withPort = text.startsWith("[") ? text.indexOf("]:") > 0 : colon >= 0 && text.indexOf(':') == colon;
            String address = withPort ? text.substring(0, colon) : text;
            int port = withPort ? Integer.parseInt(text.substring(colon + 1)) : PORT;
            return new InetSocketAddress(InetAddress.ofLiteral(address.replaceAll("[\\[\\]]", "")), port);
        } catch (IllegalArgumentException e) {
            throw Failure.Code.BAD_REQUEST.with("not a resolver's address: '" + Failure.shown(text) + "'", "write it like 192.0.2.53 or [2001:db8::53]:53", e);
        }
    }
}
