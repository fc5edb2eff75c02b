package dev.caisson.host;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Sockets of the gateway's namespace, to be served by a process that lives in the machine's: a socket belongs to the namespace of the thread that made it.
///
/// Opening them needs root. Cleanup: each is closed by whoever has it.
public final class GatewaySockets implements AutoCloseable {
    private static final int RESOLVER_PORT = 53;
    private static final List<InetAddress> RESOLVERS = List.of(InetAddress.ofLiteral(GatewayNetwork.RESOLVER), InetAddress.ofLiteral(GatewayNetwork.RESOLVER6));
    private static final int BACKLOG = 4_096;
    private static final int SOL_SOCKET = 1;
    private static final int SO_ACCEPTCONN = 30;
    private static final int IPPROTO_IP = 0;
    private static final int IP_TRANSPARENT = 19;
    private static final int IPPROTO_IPV6 = 41;
    private static final int IPV6_TRANSPARENT = 75;
    private static final int QUERY_BUFFER_BYTES = 1 << 20;

    private final ServerSocketChannel connections;
    private final List<DatagramChannel> queries;
    private final RefusedPackets refused;

    private GatewaySockets(ServerSocketChannel connections, List<DatagramChannel> queries, RefusedPackets refused) {
        this.connections = connections;
        this.queries = queries;
        this.refused = refused;
    }

    public static GatewaySockets open(Home home) throws IOException, InterruptedException {
        return OwnThread.leaving(OwnThread.Namespace.NETWORK, () -> {
            int namespace = NativeLinux.open(home.gatewayNetwork().toString(), NativeLinux.O_RDONLY);
            try {
                NativeLinux.setns(namespace, NativeLinux.CLONE_NEWNET, home.gatewayNetwork().toString());
            } finally {
                NativeLinux.close(namespace);
            }
            var queries = List.of(resolver(GatewayNetwork.RESOLVER), resolver(GatewayNetwork.RESOLVER6));
            return new GatewaySockets(listener(), queries, RefusedPackets.open());
        });
    }

    /// Accepts every connection that the rules lead here: its local address is where the sandbox wanted to go.
    public ServerSocketChannel connections() {
        return connections;
    }

    /// The resolver's, one for each version of IP.
    public List<DatagramChannel> queries() {
        return queries;
    }

    /// True for the resolver's own address and port.
    public static boolean isResolver(InetSocketAddress address) {
        return address.getPort() == RESOLVER_PORT && RESOLVERS.contains(address.getAddress());
    }

    @Override
    public void close() throws IOException {
        connections.close();
        for (DatagramChannel channel : queries) {
            channel.close();
        }
    }

    /// What the rules have refused.
    public RefusedPackets refused() {
        return refused;
    }

    private static DatagramChannel resolver(String address) throws IOException {
        var channel = DatagramChannel.open();
        channel.setOption(StandardSocketOptions.SO_RCVBUF, QUERY_BUFFER_BYTES);
        return channel.bind(new InetSocketAddress(InetAddress.ofLiteral(address), RESOLVER_PORT));
    }

    /// For both versions of IP: Java's sockets of IPv6 take both.
    private static ServerSocketChannel listener() throws IOException {
        var channel = ServerSocketChannel.open();
        channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
        channel.bind(new InetSocketAddress(InetAddress.ofLiteral("::"), GatewayNetwork.LISTENER_PORT), BACKLOG);
        int fd = descriptor(GatewayNetwork.LISTENER_PORT);
        NativeLinux.setSocketOption(fd, "IP_TRANSPARENT", IPPROTO_IP, IP_TRANSPARENT, 1);
        NativeLinux.setSocketOption(fd, "IPV6_TRANSPARENT", IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
        return channel;
    }

    /// The JDK has no word for IP_TRANSPARENT and tells nobody a channel's descriptor: it is the one that listens at that port.
    private static int descriptor(int port) throws IOException {
        var found = new ArrayList<Integer>();
        try (var descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                int fd = Integer.parseInt(String.valueOf(descriptor.getFileName()));
                if (isListener(fd, port)) {
                    found.add(fd);
                }
            }
        }
        if (found.size() != 1) {
            throw new IOException(found.size() + " sockets of this process listen at port " + port);
        }
        return found.getFirst();
    }

    private static boolean isListener(int fd, int port) {
        try {
            return NativeLinux.boundPort(fd, "descriptor " + fd) == port && NativeLinux.socketOption(fd, "SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN) == 1;
        } catch (IOException _) {
            // No socket.
            return false;
        }
    }
}
