package dev.caisson.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.OptionalLong;

/// The network device of a machine, as its VMM has it: a persistent tap in the sandbox's namespace.
///
/// ```
///   guest eth0 ══ VMM ══ tap0 ──┐ bridge0 ┌── eth0 ──▶ pN   gateway namespace
/// ```
/// The guest has the addresses that the plug had, the namespace has none any more: frames pass through it, and its own kernel answers nobody. The bridge has two ports and learns
/// nothing, so all that one says the other hears, under whatever hardware address. What a sandbox may say is judged in the gateway's namespace, as for one without a tap.
/// Where the namespace leads nowhere there is only the tap.
///
/// Cleanup: goes with its namespace.
///
/// @param name of the tap, for the VMM
/// @param network what the guest must be told
/// @param limited false where a rate was asked for and this kernel knows no token buckets
public record Tap(String name, GuestNetwork network, boolean limited) {
    public static final String NAME = "tap0";
    private static final String BRIDGE = "bridge0";
    private static final Path DEVICE = Path.of("/dev/net/tun");
    private static final int DEVICE_MAJOR = 10;
    private static final int DEVICE_MINOR = 200;
    private static final int TAP_INDEX = 3;
    private static final int BRIDGE_INDEX = 4;
    private static final long TUNSETIFF = 0x4004_54caL;
    private static final long TUNSETPERSIST = 0x4004_54cbL;
    private static final long TUNSETOWNER = 0x4004_54ccL;
    private static final long TUNSETIFINDEX = 0x4004_54daL;
    private static final short IFF_TAP = 0x0002;
    private static final short IFF_NO_PI = 0x1000;
    private static final short IFF_VNET_HDR = 0x4000;
    private static final Path NO_IPV6 = Path.of("/proc/sys/net/ipv6/conf/all/disable_ipv6");

    /// Makes it; at most once in a namespace. The network that leads there, if any, is the guest's from now on.
    ///
    /// Unit of the rate: bytes a second, in each direction.
    /// Errors: an [IOException]; what was made till then goes with the namespace.
    ///
    /// @param owner the only user, beside root, who may attach to it: with `IFF_TAP | IFF_NO_PI`, with or without `IFF_VNET_HDR`, one queue
    public static Tap make(Path namespace, int owner, OptionalLong rate) throws IOException, InterruptedException {
        return OwnThread.leaving(OwnThread.Namespace.NETWORK, () -> {
            enter(namespace);
            // This kernel is not to speak here of its own accord; what had addresses of IPv6 has none from now on.
            Files.writeString(NO_IPV6, "1");
            int device = open(owner);
            try (var inside = Netlink.open(Netlink.ROUTE)) {
                var network = connect(inside, namespace);
                boolean limited = rate.isEmpty() || limit(inside, network, rate.getAsLong());
                Links.up(inside, NAME, TAP_INDEX, 0);
                return new Tap(NAME, network, limited);
            } finally {
                NativeLinux.close(device);
            }
        });
    }

    private static void enter(Path namespace) throws IOException {
        int fd = NativeLinux.open(namespace.toString(), NativeLinux.O_RDONLY);
        try {
            NativeLinux.setns(fd, NativeLinux.CLONE_NEWNET, namespace.toString());
        } finally {
            NativeLinux.close(fd);
        }
    }

    /// Whoever attaches says anew which headers he wants, but the number of queues must be that of the first: one.
    private static int open(int owner) throws IOException {
        int device = NativeLinux.open(DEVICE.toString(), NativeLinux.O_RDWR);
        try {
            NativeLinux.ioctl(device, "TUNSETIFINDEX", TUNSETIFINDEX, ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.nativeOrder()).putInt(TAP_INDEX).array());
            // struct ifreq: 16 bytes of name, then flags.
            var request = ByteBuffer.allocate(40).order(ByteOrder.nativeOrder()).put(NAME.getBytes(StandardCharsets.US_ASCII));
            NativeLinux.ioctl(device, "TUNSETIFF " + NAME, TUNSETIFF, request.putShort(16, (short) (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)).array());
            NativeLinux.ioctl(device, "TUNSETOWNER " + NAME, TUNSETOWNER, owner);
            NativeLinux.ioctl(device, "TUNSETPERSIST " + NAME, TUNSETPERSIST, 1);
            return device;
        } catch (IOException e) {
            NativeLinux.close(device);
            throw e;
        }
    }

    private static GuestNetwork connect(Netlink inside, Path namespace) throws IOException {
        OptionalInt link = Links.index(inside, NetworkPlug.INSIDE);
        if (link.isEmpty()) {
            return GuestNetwork.NONE;
        }
        int number = NetworkPlug.indexOf(namespace).orElseThrow(() -> new IOException("no plug of ours, but has a link: " + namespace));
        var plug = new NetworkPlug(number, namespace);
        Links.removeAddress(inside, NetworkPlug.INSIDE, link.getAsInt(), plug.address().getAddress(), NetworkPlug.PREFIX);
        Links.addBridge(inside, BRIDGE, BRIDGE_INDEX);
        Links.addPort(inside, NetworkPlug.INSIDE, link.getAsInt(), BRIDGE_INDEX);
        Links.addPort(inside, NAME, TAP_INDEX, BRIDGE_INDEX);
        Links.up(inside, BRIDGE, BRIDGE_INDEX, 0);
        return plug.guest();
    }

    /// What leaves by the tap is what the guest receives; what it sends leaves by the link.
    private static boolean limit(Netlink inside, GuestNetwork network, long rate) throws IOException {
        if (!TokenBucket.limit(inside, NAME, TAP_INDEX, rate)) {
            return false;
        }
        return network.equals(GuestNetwork.NONE) || TokenBucket.limit(inside, NetworkPlug.INSIDE, Links.index(inside, NetworkPlug.INSIDE).orElseThrow(), rate);
    }

    /// Makes another device file by which that user, who may not open the machine's own, attaches to what he owns.
    ///
    /// Errors: a [NativeException]; on a filesystem that is mounted `nodev` opening it fails.
    public static void makeDevice(Path path, int owner) throws IOException {
        NativeLinux.makeCharacterDevice(path.toString(), 0600, DEVICE_MAJOR, DEVICE_MINOR);
        Files.setAttribute(path, "unix:gid", owner);
        Files.setAttribute(path, "unix:uid", owner);
    }
}
