package dev.caisson.host;

import java.net.InetAddress;
import java.util.List;

/// What a guest with a network device of its own must give that device, so that it is on the net as its plug would be.
///
/// @param addresses of its `eth0`; empty where plugs lead nowhere
/// @param gateways its default routes, of IPv4 and IPv6
public record GuestNetwork(List<Address> addresses, List<InetAddress> gateways) {
    public static final GuestNetwork NONE = new GuestNetwork(List.of(), List.of());

    /// @param prefix how many bits of it the link shares
    public record Address(InetAddress address, int prefix) {}

    public GuestNetwork {
        addresses = List.copyOf(addresses);
        gateways = List.copyOf(gateways);
    }
}
