package dev.caisson.egress;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;

/// Connects to one of several addresses, in their order, from the machine's own network.
final class Dialer {
    private static final int MOST_TRIES = 3;
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration EACH = Duration.ofSeconds(5);

    private Dialer() {}

    /// @param addresses each judged and allowed
    /// Errors: an [IOException] that says what happened to the last one tried.
    static SocketChannel dial(List<InetAddress> addresses, int port) throws IOException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        IOException last = new IOException("there is no address to connect to");
        for (InetAddress address : addresses.subList(0, Math.min(addresses.size(), MOST_TRIES))) {
            long left = Math.min(EACH.toMillis(), Duration.ofNanos(deadline - System.nanoTime()).toMillis());
            if (left <= 0) {
                break;
            }
            try {
                refuseOurselves(new InetSocketAddress(address, port));
                return dial(address, port, (int) left);
            } catch (IOException e) {
                last = new IOException(address.getHostAddress() + " port " + port + ": " + e.getMessage(), e);
            }
        }
        throw last;
    }

    /// Whoever speaks to an address of his own does so from that address: what listens on this machine is no business of a sandbox, be the address ever so public.
    /// A socket for datagrams says what the kernel would choose, and sends nothing.
    private static void refuseOurselves(InetSocketAddress to) throws IOException {
        try (var asked = DatagramChannel.open()) {
            asked.connect(to);
            if (((InetSocketAddress) asked.getLocalAddress()).getAddress().equals(to.getAddress())) {
                throw new IOException("it is an address of the gateway's own machine");
            }
        }
    }

    private static SocketChannel dial(InetAddress address, int port, int millis) throws IOException {
        var channel = SocketChannel.open();
        try {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            channel.socket().connect(new InetSocketAddress(address, port), millis);
            return channel;
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }
}
