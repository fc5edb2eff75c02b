package dev.caisson.host;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/// What the gateway's rules have refused, as the kernel tells it packet by packet, though at most 50 a second of each link: the exact count is
/// [GatewayNetwork#refusedPackets].
///
/// Threads: one reader, a platform thread. Cleanup: none; it goes with the process.
public final class RefusedPackets {
    private static final int NFULOG = 4;
    private static final int CONFIG = NFULOG << 8 | 1;
    private static final int PACKET = NFULOG << 8;
    private static final int CONFIG_COMMAND = 1;
    private static final int CONFIG_MODE = 2;
    private static final byte BIND = 1;
    private static final byte COPY_PACKET = 2;
    private static final int COPIED_BYTES = 96;
    private static final int LINK = 4;
    private static final int PAYLOAD = 9;
    private static final int MAX_MESSAGE = 64 * 1024;
    private static final int ENOBUFS = 105;
    private static final int TCP = 6;
    private static final int UDP = 17;
    private static final int DESTINATION_OPTIONS = 60;
    private static final int HOP_BY_HOP = 0;

    private final Netlink netlink;

    private RefusedPackets(Netlink netlink) {
        this.netlink = netlink;
    }

    /// Whose a refused packet was, and where it wanted to go.
    ///
    /// @param sandbox the IPv4 address of the sandbox at whose link it came in, whatever it called its source
    /// @param packet what its header says
    public record Refused(InetAddress sandbox, Packet packet) {}

    /// What the header of a packet says.
    ///
    /// @param source as its sender wrote it, which is no proof of anything
    /// @param protocol of IP, such as 17
    /// @param port 0 when the protocol has none, or the packet is a fragment
    public record Packet(InetAddress source, InetAddress destination, int protocol, int port) {}

    /// In the gateway's namespace.
    static RefusedPackets open() throws IOException {
        var netlink = Netlink.open(Netlink.NETFILTER);
        int group = GatewayNetwork.LOG_GROUP;
        netlink.ask("bind log group", header(group).attribute(CONFIG_COMMAND, new byte[] {BIND}));
        byte[] mode = ByteBuffer.allocate(6).putInt(COPIED_BYTES).put(COPY_PACKET).array();
        netlink.ask("mode of log group", header(group).attribute(CONFIG_MODE, mode));
        return new RefusedPackets(netlink);
    }

    private static NetlinkMessage header(int group) {
        return new NetlinkMessage(CONFIG, 0).u8(0).u8(0).u8(group >> 8).u8(group);
    }

    /// What is told to whoever listens.
    @FunctionalInterface
    public interface Listener {
        void refused(Refused packet);
    }

    /// Reads for ever; ends with an [IOException] when the kernel will say no more.
    public void read(Listener listener) throws IOException {
        byte[] buffer = new byte[MAX_MESSAGE];
        while (true) {
            int length;
            try {
                length = NativeLinux.receive(netlink.fd(), "refused packets", buffer);
            } catch (NativeException e) {
                if (e.errno() == ENOBUFS) {
                    // More came than was read: some were not told of.
                    continue;
                }
                throw e;
            }
            var read = ByteBuffer.wrap(buffer, 0, length).order(ByteOrder.nativeOrder());
            for (int at = 0; at + NetlinkMessage.HEADER_BYTES + 4 <= length; at += Math.max(NetlinkMessage.HEADER_BYTES, read.getInt(at) + 3 & ~3)) {
                if (read.getShort(at + 4) == PACKET) {
                    told(Arrays.copyOfRange(buffer, at, Math.min(length, Math.max(at, at + read.getInt(at))))).ifPresent(listener::refused);
                }
            }
        }
    }

    private static Optional<Refused> told(byte[] message) {
        int attributes = NetlinkMessage.HEADER_BYTES + 4;
        return Refusals.attribute(message, attributes, LINK)
                .filter(link -> link.length == 4)
                .flatMap(link -> NetworkPlug.addressAtLink(ByteBuffer.wrap(link).getInt()))
                .flatMap(sandbox -> Refusals.attribute(message, attributes, PAYLOAD).flatMap(RefusedPackets::parse).map(packet -> new Refused(sandbox, packet)));
    }

    /// An IP packet's beginning; empty for what is not one, or is too short.
    static Optional<Packet> parse(byte[] packet) {
        try {
            return switch (packet.length == 0 ? 0 : packet[0] >> 4 & 15) {
                case 4 -> Optional.of(version4(ByteBuffer.wrap(packet)));
                case 6 -> Optional.of(version6(ByteBuffer.wrap(packet)));
                default -> Optional.empty();
            };
        } catch (IndexOutOfBoundsException | UnknownHostException _) {
            return Optional.empty();
        }
    }

    private static Packet version4(ByteBuffer packet) throws UnknownHostException {
        int header = (packet.get(0) & 15) * 4;
        int protocol = packet.get(9) & 0xff;
        boolean first = (packet.getShort(6) & 0x1fff) == 0;
        return new Packet(address(packet, 12, 4), address(packet, 16, 4), protocol, first ? port(packet, header, protocol) : 0);
    }

    private static Packet version6(ByteBuffer packet) throws UnknownHostException {
        int protocol = packet.get(6) & 0xff;
        int at = 40;
        for (int extensions = 0; extensions < 4 && (protocol == HOP_BY_HOP || protocol == DESTINATION_OPTIONS); extensions++) {
            protocol = packet.get(at) & 0xff;
            at += ((packet.get(at + 1) & 0xff) + 1) * 8;
        }
        return new Packet(address(packet, 8, 16), address(packet, 24, 16), protocol, port(packet, at, protocol));
    }

    private static int port(ByteBuffer packet, int header, int protocol) {
        return (protocol == TCP || protocol == UDP) && packet.limit() >= header + 4 ? Short.toUnsignedInt(packet.getShort(header + 2)) : 0;
    }

    private static InetAddress address(ByteBuffer packet, int at, int length) throws UnknownHostException {
        byte[] bytes = new byte[length];
        packet.get(at, bytes);
        return InetAddress.getByAddress(bytes);
    }
}
