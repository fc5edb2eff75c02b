package dev.caisson.guest;

import com.google.protobuf.ByteString;
import dev.caisson.guest.wire.Network;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.List;

/// What a guest with a kernel of its own, which woke as the copy of a frozen one, must have for itself before anything of a caller's runs in it.
///
/// Its clock and its random generator are the copy of another one's too: they are renewed with it, from [Agent#adopt]'s time and entropy.
///
/// @param machineId not to be changed; /etc/machine-id. Where it was another, SSH host keys are made anew too
/// @param bootId not to be changed; what /proc/sys/kernel/random/boot_id says from now on
/// @param addresses of its one network device, which has no others
/// @param gateways default routes, at most one of IPv4 and one of IPv6; they are reached on the link whatever the addresses are
public record Awakening(byte[] machineId, byte[] bootId, List<Address> addresses, List<InetAddress> gateways) {
    /// Of a machine id and of a boot id. Unit: bytes.
    public static final int ID_BYTES = 16;
    /// Of fresh randomness that a copy needs at least. Unit: bytes.
    public static final int MIN_ENTROPY = 48;
    private static final int MAX_ADDRESSES = 16;

    /// @param prefix bits of it that are its network's
    public record Address(InetAddress address, int prefix) {
        public Address {
            int bits = address.getAddress().length * 8;
            if (prefix < 0 || prefix > bits) {
                throw new IllegalArgumentException(address.getHostAddress() + ": a prefix has 0 to " + bits + " bits, got " + prefix);
            }
        }
    }

    public Awakening {
        if (machineId.length != ID_BYTES || bootId.length != ID_BYTES) {
            throw new IllegalArgumentException("an id of " + machineId.length + " and one of " + bootId.length + " bytes; both have " + ID_BYTES);
        }
        addresses = List.copyOf(addresses);
        gateways = List.copyOf(gateways);
        if (addresses.size() > MAX_ADDRESSES) {
            throw new IllegalArgumentException(addresses.size() + " addresses for one network device; at most " + MAX_ADDRESSES);
        }
        long ipv4 = gateways.stream().filter(Inet4Address.class::isInstance).count();
        if (ipv4 > 1 || gateways.size() - ipv4 > 1) {
            throw new IllegalArgumentException("more than one gateway of a kind: " + gateways);
        }
    }

    dev.caisson.guest.wire.Awakening wire() {
        var network = Network.newBuilder();
        for (Address address : addresses) {
            network.addAddresses(dev.caisson.guest.wire.Address.newBuilder().setAddress(ByteString.copyFrom(address.address().getAddress())).setPrefix(address.prefix()));
        }
        gateways.forEach(gateway -> network.addGateways(ByteString.copyFrom(gateway.getAddress())));
        return dev.caisson.guest.wire.Awakening.newBuilder().setMachineId(ByteString.copyFrom(machineId)).setBootId(ByteString.copyFrom(bootId)).setNetwork(network).build();
    }
}
