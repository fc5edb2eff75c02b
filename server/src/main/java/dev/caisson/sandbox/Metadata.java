package dev.caisson.sandbox;

import java.net.InetAddress;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// Where clouds hand out a machine's identity, keys and user data to whoever asks from it: no rule opens these.
public final class Metadata {
    /// Link-local blocks as a whole where a cloud has several services beside each other: instance metadata, task and pod credentials.
    ///
    /// Source: the clouds' own documentation of their metadata services, read in 2026.
    private static final List<Cidr> ADDRESSES = Stream.of(
            "169.254.169.0/24", "169.254.170.0/24", "169.254.20.10", "169.254.0.23", "169.254.42.42", "100.100.100.200", "168.63.129.16", "192.0.0.192",
            "fd00:ec2::/48", "fd20:ce::/48", "fd00:42::42", "fd00:a9fe:a9fe::/48").map(Cidr::parse).toList();
    private static final Set<String> NAMES = Set.of(
            "metadata", "metadata.goog", "metadata.google.internal", "metadata.azure.internal", "instance-data", "metadata.tencentyun.com", "metadata.platformequinix.com", "metadata.packet.net",
            "api.metadata.cloud.ibm.com", "rancher-metadata");

    private Metadata() {}

    /// @param host in its one spelling; names below one of these count too
    public static boolean isName(String host) {
        for (String rest = host; ; rest = rest.substring(rest.indexOf('.') + 1)) {
            if (NAMES.contains(rest) || rest.endsWith(".internal") && (rest.startsWith("metadata.") || rest.startsWith("instance-data."))) {
                return true;
            }
            if (rest.indexOf('.') < 0) {
                return false;
            }
        }
    }

    /// True for such an address in any spelling: an IPv6 address counts when there is one of IPv4 in it, wherever a translation or a tunnel would look for it.
    public static boolean isAddress(InetAddress address) {
        if (ADDRESSES.stream().anyMatch(network -> network.contains(address))) {
            return true;
        }
        byte[] b = address.getAddress();
        if (b.length == 4) {
            return false;
        }
        return isIpv4(b[12], b[13], b[14], b[15])
                // 6to4.
                || b[0] == 0x20 && b[1] == 0x02 && isIpv4(b[2], b[3], b[4], b[5])
                // Teredo: the server, and the client with its bits turned over.
                || b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0 && (isIpv4(b[4], b[5], b[6], b[7]) || isIpv4(~b[12], ~b[13], ~b[14], ~b[15]))
                // RFC 6052 with prefixes of 48, 56 and 64 bits, which leave the ninth byte out.
                || b[0] == 0 && b[1] == 0x64 && (isIpv4(b[6], b[7], b[9], b[10]) || isIpv4(b[7], b[9], b[10], b[11]) || isIpv4(b[9], b[10], b[11], b[12]));
    }

    private static boolean isIpv4(int a, int b, int c, int d) {
        var address = AddressKind.ipv4(new byte[] {(byte) a, (byte) b, (byte) c, (byte) d}, 0);
        return ADDRESSES.stream().anyMatch(network -> network.contains(address));
    }

    /// True when there is nothing else in that network.
    public static boolean covers(Cidr network) {
        return ADDRESSES.stream().anyMatch(one -> one.covers(network)) || network.isOne() && isAddress(network.first());
    }
}
