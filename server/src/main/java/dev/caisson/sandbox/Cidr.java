package dev.caisson.sandbox;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.HexFormat;

/// A network of addresses, IPv4 or IPv6, such as `192.0.2.0/24`.
///
/// A single address is one with every bit in the prefix. IPv4 addresses mapped into IPv6 are refused: they have one spelling, the IPv4 one.
public final class Cidr {
    private final byte[] network;
    private final int prefix;

    private Cidr(byte[] network, int prefix) {
        this.network = network;
        this.prefix = prefix;
    }

    /// @param network 4 or 16 bytes, zero behind the prefix
    public static Cidr of(byte[] network, int prefix) {
        String shown = text(network) + "/" + prefix;
        if (prefix < 0 || prefix > network.length * 8) {
            throw Failure.Code.OUT_OF_RANGE.with("not a network: " + shown, "the prefix is 0 to " + network.length * 8);
        }
        byte[] masked = masked(network, prefix);
        if (!Arrays.equals(masked, network)) {
            throw Failure.Code.BAD_REQUEST.with("the network " + shown + " has bits behind its prefix", "write " + text(masked) + "/" + prefix + ", or " + text(network) + "/" + network.length * 8);
        }
        var cidr = new Cidr(network.clone(), prefix);
        if (network.length == 16 && prefix >= 96 && Arrays.equals(Arrays.copyOf(network, 12), HexFormat.of().parseHex("00000000000000000000ffff"))) {
            throw Failure.Code.BAD_REQUEST.with("the network " + shown + " is IPv4 written as IPv6", "write it as IPv4");
        }
        return cidr;
    }

    /// True for what can only be an address or a network: with a slash or a colon, or four decimal numbers.
    public static boolean looksLikeOne(String text) {
        return text.indexOf('/') >= 0 || text.indexOf(':') >= 0 || text.matches("[0-9]+(\\.[0-9]+){3}");
    }

    /// `192.0.2.0/24`, `2001:db8::/32`, or one address.
    public static Cidr parse(String text) {
        int slash = text.indexOf('/');
        String address = slash < 0 ? text : text.substring(0, slash);
        byte[] bytes = address(address);
        String length = slash < 0 ? Integer.toString(bytes.length * 8) : text.substring(slash + 1);
        if (!length.matches("[0-9]{1,3}")) {
            throw notANetwork(text);
        }
        return of(bytes, Integer.parseInt(length));
    }

    /// The bytes of an address in its usual spelling only: four decimal numbers without leading zeros, or IPv6 without a zone.
    private static byte[] address(String text) {
        if (text.matches("(0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]{0,2})){3}") || text.indexOf(':') >= 0 && text.matches("[0-9a-fA-F:.]{2,45}")) {
            try {
                // A literal: nothing is looked up. Mapped IPv4 comes back as four bytes.
                byte[] bytes = InetAddress.ofLiteral(text).getAddress();
                if (bytes.length == 4 && text.indexOf(':') >= 0) {
                    throw Failure.Code.BAD_REQUEST.with("the address " + Failure.shown(text) + " is IPv4 written as IPv6", "write it as IPv4");
                }
                return bytes;
            } catch (IllegalArgumentException _) {
                // Refused below.
            }
        }
        throw notANetwork(text);
    }

    private static SandboxException notANetwork(String text) {
        return Failure.Code.BAD_REQUEST.with("not an address or a network: '" + Failure.shown(text) + "'", "write it like 192.0.2.0/24 or 2001:db8::/32");
    }

    public int prefix() {
        return prefix;
    }

    /// The first address in it: of a single address, that.
    public InetAddress first() {
        try {
            return InetAddress.getByAddress(network);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    /// True for a single address.
    public boolean isOne() {
        return prefix == network.length * 8;
    }

    public boolean contains(InetAddress address) {
        return contains(address.getAddress());
    }

    private boolean contains(byte[] address) {
        int whole = prefix / 8;
        return address.length == network.length && Arrays.equals(address, 0, whole, network, 0, whole)
                && (prefix % 8 == 0 || ((address[whole] ^ network[whole]) & 0xff00 >> prefix % 8 & 0xff) == 0);
    }

    /// True when every address of the other is in this one.
    public boolean covers(Cidr other) {
        return other.prefix >= prefix && contains(other.network);
    }

    private static byte[] masked(byte[] address, int prefix) {
        byte[] masked = address.clone();
        for (int bit = prefix; bit < masked.length * 8; bit++) {
            masked[bit / 8] &= (byte) ~(0x80 >> bit % 8);
        }
        return masked;
    }

    private static String text(byte[] address) {
        try {
            return InetAddress.getByAddress(address).getHostAddress();
        } catch (UnknownHostException _) {
            return address.length + " bytes";
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Cidr cidr && prefix == cidr.prefix && Arrays.equals(network, cidr.network);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(network) + prefix;
    }

    @Override
    public String toString() {
        return text(network) + "/" + prefix;
    }
}
