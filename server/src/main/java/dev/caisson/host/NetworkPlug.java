package dev.caisson.host;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// Where one sandbox is plugged in: its network namespace, and the link between that and the gateway's namespace. Everything follows from the number.
///
/// @param index 0 to [#MAX]-1; no two that are there at a time have the same
/// @param namespace where the sandbox's namespace is bound
public record NetworkPlug(int index, Path namespace) {
    public static final int MAX = 8_192;
    /// The link's end in the sandbox.
    static final String INSIDE = "eth0";
    private static final int FIRST_LINK_INDEX = 16;
    private static final int FIRST_ADDRESS = 100 << 24 | 64 << 16;
    private static final byte[] FIRST_ADDRESS6 = {(byte) 0xfd, (byte) 0xca, 0x15, 0x50, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static final int PREFIX = 30;
    static final int PREFIX6 = 126;

    public NetworkPlug {
        if (index < 0 || index >= MAX) {
            throw new IllegalArgumentException("plugs are 0.." + (MAX - 1) + ", got " + index);
        }
    }

    static NetworkPlug of(Home home, int index) {
        return new NetworkPlug(index, home.plugs().resolve(Integer.toString(index)));
    }

    /// The number of the plug whose namespace is bound there.
    public static OptionalInt indexOf(Path namespace) {
        String name = String.valueOf(namespace.getFileName());
        return name.matches("[0-9]{1,4}") && Integer.parseInt(name) < MAX ? OptionalInt.of(Integer.parseInt(name)) : OptionalInt.empty();
    }

    /// Name of the link's end in the gateway's namespace.
    public String link() {
        return "p" + index;
    }

    /// Number of that end; the kernel lets us choose, so nobody has to look it up.
    int linkIndex() {
        return FIRST_LINK_INDEX + index;
    }

    /// The address of the sandbox whose link's end has that number; empty when it is none of ours.
    static Optional<InetAddress> addressAtLink(int linkIndex) {
        int index = linkIndex - FIRST_LINK_INDEX;
        return index < 0 || index >= MAX ? Optional.empty() : Optional.of(address(gatewayBytes(index, 1)));
    }

    /// The sandbox's address.
    public InetAddress address() {
        return address(gatewayBytes(index, 1));
    }

    public InetAddress address6() {
        return address(gatewayBytes6(1));
    }

    /// The same for a guest with a network device of its own.
    public GuestNetwork guest() {
        return new GuestNetwork(
                List.of(new GuestNetwork.Address(address(), PREFIX), new GuestNetwork.Address(address6(), PREFIX6)), List.of(address(gatewayBytes()), address(gatewayBytes6())));
    }

    /// The gateway's end, one below the sandbox's.
    byte[] gatewayBytes() {
        return gatewayBytes(index, 0);
    }

    byte[] gatewayBytes6() {
        return gatewayBytes6(0);
    }

    private static byte[] gatewayBytes(int index, int above) {
        int address = FIRST_ADDRESS + 4 * index + 1 + above;
        return new byte[] {(byte) (address >> 24), (byte) (address >> 16), (byte) (address >> 8), (byte) address};
    }

    private byte[] gatewayBytes6(int above) {
        byte[] address = FIRST_ADDRESS6.clone();
        int low = 4 * index + 1 + above;
        address[14] = (byte) (low >> 8);
        address[15] = (byte) low;
        return address;
    }

    private static InetAddress address(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException("4 or 16 bytes are an address", e);
        }
    }
}
