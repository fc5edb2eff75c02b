package dev.caisson.sandbox;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/// What an address is for, by the registries of special-purpose addresses; only public ones are reached without a rule that names their network.
///
/// Documentation networks count as public: nobody is there, and an internet made for tests is made of them.
///
/// Source: IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890, RFC 4291, RFC 6052, read in 2026.
public enum AddressKind {
    PUBLIC("public"),
    /// A cloud's metadata service: never reached.
    METADATA("a cloud's metadata service"),
    /// Given out by our own resolver, or to our own gateway.
    OWN("of the gateway itself"),
    PRIVATE("private"),
    LOOPBACK("the machine itself"),
    LINK_LOCAL("link-local"),
    MULTICAST("multicast"),
    UNSPECIFIED("no address of anybody"),
    BROADCAST("broadcast"),
    /// Between a provider and its customers (100.64.0.0/10).
    SHARED("a provider's own"),
    /// Leads to an IPv4 address by a way that this machine may or may not have.
    TUNNEL("a tunnel's or a translator's"),
    RESERVED("reserved");

    private static final List<Map.Entry<Cidr, AddressKind>> SPECIAL = List.of(
            of("0.0.0.0/8", UNSPECIFIED), of("10.0.0.0/8", PRIVATE), of("100.127.255.0/24", OWN), of("100.64.0.0/10", SHARED), of("127.0.0.0/8", LOOPBACK), of("169.254.0.0/16", LINK_LOCAL),
            of("172.16.0.0/12", PRIVATE), of("192.0.0.0/24", RESERVED), of("192.88.99.0/24", RESERVED), of("192.168.0.0/16", PRIVATE), of("198.18.0.0/15", OWN), of("224.0.0.0/4", MULTICAST),
            of("255.255.255.255", BROADCAST), of("240.0.0.0/4", RESERVED),
            of("::", UNSPECIFIED), of("::1", LOOPBACK), of("::/96", TUNNEL), of("::ffff:0:0:0/96", TUNNEL), of("64:ff9b:1::/48", TUNNEL), of("100::/64", RESERVED), of("2001::/32", TUNNEL),
            of("2001::/23", RESERVED), of("2002::/16", TUNNEL), of("fdca:1550::/32", OWN), of("fc00::/7", PRIVATE), of("fe80::/10", LINK_LOCAL), of("fec0::/10", PRIVATE), of("ff00::/8", MULTICAST));
    private static final Cidr GLOBAL = Cidr.parse("2000::/3");
    private static final byte[] MAPPED = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte) 0xff, (byte) 0xff};
    private static final byte[] TRANSLATED = {0, 0x64, (byte) 0xff, (byte) 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};

    private final String label;

    AddressKind(String label) {
        this.label = label;
    }

    private static Map.Entry<Cidr, AddressKind> of(String network, AddressKind kind) {
        return Map.entry(Cidr.parse(network), kind);
    }

    /// What it is, for people: `private`, `link-local`.
    public String label() {
        return label;
    }

    public static AddressKind of(InetAddress address) {
        InetAddress plain = plain(address);
        if (Metadata.isAddress(plain) || Metadata.isAddress(address)) {
            return METADATA;
        }
        for (var block : SPECIAL) {
            if (block.getKey().contains(plain)) {
                return block.getValue();
            }
        }
        return plain.getAddress().length == 4 || GLOBAL.contains(plain) ? PUBLIC : RESERVED;
    }

    /// The IPv4 address where an IPv6 address is only another way to write or to reach it (mapped, NAT64's well-known prefix), else the address itself.
    public static InetAddress plain(InetAddress address) {
        byte[] bytes = address.getAddress();
        return bytes.length == 16 && (Arrays.equals(bytes, 0, 12, MAPPED, 0, 12) || Arrays.equals(bytes, 0, 12, TRANSLATED, 0, 12)) ? ipv4(bytes, 12) : address;
    }

    /// True for a network without a public address in it: only a rule for such a one opens it, never one for the whole internet.
    public static boolean isSpecial(Cidr network) {
        return SPECIAL.stream().anyMatch(block -> block.getKey().covers(network)) || network.isOne() && of(network.first()) != PUBLIC;
    }

    static InetAddress ipv4(byte[] bytes, int at) {
        try {
            return InetAddress.getByAddress(Arrays.copyOfRange(bytes, at, at + 4));
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }
}
