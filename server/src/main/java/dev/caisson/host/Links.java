package dev.caisson.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.OptionalInt;

/// What rtnetlink(7) is asked about links, addresses and routes. All in the namespace of the socket.
final class Links {
    private static final int RTM_NEWLINK = 16;
    private static final int RTM_DELLINK = 17;
    private static final int RTM_GETLINK = 18;
    private static final int RTM_NEWADDR = 20;
    private static final int RTM_DELADDR = 21;
    private static final int RTM_NEWROUTE = 24;
    private static final int RTM_NEWRULE = 32;
    private static final int FR_ACT_TO_TBL = 1;
    private static final int FRA_FWMARK = 10;
    private static final int RTN_LOCAL = 2;
    private static final int RT_SCOPE_HOST = 254;
    static final int LOOPBACK_INDEX = 1;
    private static final int IFLA_IFNAME = 3;
    private static final int IFLA_MASTER = 10;
    private static final int IFLA_LINKINFO = 18;
    private static final int IFLA_AF_SPEC = 26;
    private static final int IFLA_GROUP = 27;
    private static final int IFLA_NET_NS_FD = 28;
    private static final int IFLA_INFO_KIND = 1;
    private static final int IFLA_INFO_DATA = 2;
    private static final int IFLA_INFO_SLAVE_KIND = 4;
    private static final int IFLA_INFO_SLAVE_DATA = 5;
    private static final int IFLA_BR_STP_STATE = 5;
    private static final int IFLA_BR_MCAST_SNOOPING = 23;
    private static final int IFLA_BRPORT_LEARNING = 8;
    private static final byte[] OFF = {0};
    private static final int VETH_INFO_PEER = 1;
    private static final int IFLA_INET6_ADDR_GEN_MODE = 8;
    private static final byte[] NO_ADDRESS_OF_ITS_OWN = {1};
    private static final int IFF_UP = 1;
    private static final int IFA_ADDRESS = 1;
    private static final int IFA_LOCAL = 2;
    private static final int IFA_F_NODAD = 2;
    private static final int RTA_OIF = 4;
    private static final int RTA_GATEWAY = 5;
    private static final int RT_TABLE_MAIN = 254;
    private static final int RTPROT_STATIC = 4;
    private static final int RTN_UNICAST = 1;

    private Links() {}

    /// A pair of links: one here, one in the namespace that `peerNamespace` is a descriptor of. Neither gives itself an address.
    static void addPair(Netlink here, String name, int index, String peerName, int peerIndex, int peerNamespace) throws IOException {
        here.ask("veth " + name + " to " + peerName, link(RTM_NEWLINK, NetlinkMessage.CREATE | NetlinkMessage.EXCL, index, 0)
                .attribute(IFLA_IFNAME, name)
                .nested(IFLA_LINKINFO, info -> info
                        .attribute(IFLA_INFO_KIND, "veth")
                        .nested(IFLA_INFO_DATA, data -> data.region(VETH_INFO_PEER, peer -> header(peer, peerIndex, 0)
                                .attribute(IFLA_IFNAME, peerName)
                                .attribute(IFLA_NET_NS_FD, peerNamespace)))));
    }

    /// A bridge that passes on everything to every port but the one it came from; it is not up.
    static void addBridge(Netlink here, String name, int index) throws IOException {
        here.ask("bridge " + name, link(RTM_NEWLINK, NetlinkMessage.CREATE | NetlinkMessage.EXCL, index, 0)
                .attribute(IFLA_IFNAME, name)
                .nested(IFLA_LINKINFO, info -> info
                        .attribute(IFLA_INFO_KIND, "bridge")
                        .nested(IFLA_INFO_DATA, data -> data.attribute(IFLA_BR_STP_STATE, 0).attribute(IFLA_BR_MCAST_SNOOPING, OFF))));
    }

    /// Puts a link under a bridge, which learns no addresses from it.
    static void addPort(Netlink here, String name, int index, int bridge) throws IOException {
        here.ask("bridge of link " + name, header(new NetlinkMessage(RTM_NEWLINK, 0), index, 0, 0).attribute(IFLA_MASTER, bridge));
        here.ask("port " + name, header(new NetlinkMessage(RTM_NEWLINK, 0), index, 0, 0)
                .nested(IFLA_LINKINFO, info -> info
                        .attribute(IFLA_INFO_SLAVE_KIND, "bridge")
                        .nested(IFLA_INFO_SLAVE_DATA, data -> data.attribute(IFLA_BRPORT_LEARNING, OFF))));
    }

    /// The number of the link with that name; empty when there is none.
    static OptionalInt index(Netlink here, String name) throws IOException {
        try {
            byte[] said = here.get("link " + name, header(new NetlinkMessage(RTM_GETLINK, 0), 0, 0, 0).attribute(IFLA_IFNAME, name)).orElseThrow(() -> new IOException("no answer about link " + name));
            return OptionalInt.of(ByteBuffer.wrap(said).order(ByteOrder.nativeOrder()).getInt(4));
        } catch (NativeException e) {
            if (e.errno() == Errno.ENODEV) {
                return OptionalInt.empty();
            }
            throw e;
        }
    }

    /// Brings a link up, in that group, without an address that the kernel makes itself.
    static void up(Netlink here, String name, int index, int group) throws IOException {
        here.ask("link " + name + " up", link(RTM_NEWLINK, 0, index, IFF_UP)
                .attribute(IFLA_GROUP, group)
                .nested(IFLA_AF_SPEC, spec -> spec.nested(NativeLinux.AF_INET6, inet6 -> inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, NO_ADDRESS_OF_ITS_OWN))));
    }

    static void group(Netlink here, String name, int index, int group) throws IOException {
        here.ask("group of link " + name, header(new NetlinkMessage(RTM_NEWLINK, 0), index, 0, 0).attribute(IFLA_GROUP, group));
    }

    static void remove(Netlink here, String name) throws IOException {
        here.ask("remove link " + name, header(new NetlinkMessage(RTM_DELLINK, 0), 0, 0, 0).attribute(IFLA_IFNAME, name));
    }

    static void address(Netlink here, String name, int index, byte[] address, int prefix) throws IOException {
        here.ask("address of " + name, new NetlinkMessage(RTM_NEWADDR, NetlinkMessage.CREATE | NetlinkMessage.EXCL)
                .u8(family(address)).u8(prefix).u8(address.length == 16 ? IFA_F_NODAD : 0).u8(0).u32(index)
                .attribute(IFA_LOCAL, address)
                .attribute(IFA_ADDRESS, address));
    }

    /// With it go the routes that stood on it.
    static void removeAddress(Netlink here, String name, int index, byte[] address, int prefix) throws IOException {
        here.ask("remove address of " + name, new NetlinkMessage(RTM_DELADDR, 0).u8(family(address)).u8(prefix).u8(0).u8(0).u32(index).attribute(IFA_LOCAL, address));
    }

    static void defaultRoute(Netlink here, int index, byte[] gateway) throws IOException {
        here.ask("default route", new NetlinkMessage(RTM_NEWROUTE, NetlinkMessage.CREATE | NetlinkMessage.EXCL)
                .u8(family(gateway)).u8(0).u8(0).u8(0).u8(RT_TABLE_MAIN).u8(RTPROT_STATIC).u8(0).u8(RTN_UNICAST).u32(0)
                .attribute(RTA_GATEWAY, gateway)
                .attribute(RTA_OIF, index));
    }

    /// Whatever carries `mark` is for this machine, whomever it is addressed to.
    static void deliverMarked(Netlink here, int family, int mark, int table) throws IOException {
        here.ask("rule for mark " + mark, new NetlinkMessage(RTM_NEWRULE, NetlinkMessage.CREATE | NetlinkMessage.EXCL)
                .u8(family).u8(0).u8(0).u8(0).u8(table).u8(0).u8(0).u8(FR_ACT_TO_TBL).u32(0)
                .attribute(FRA_FWMARK, mark));
        here.ask("local route", new NetlinkMessage(RTM_NEWROUTE, NetlinkMessage.CREATE | NetlinkMessage.EXCL)
                .u8(family).u8(0).u8(0).u8(0).u8(table).u8(RTPROT_STATIC).u8(RT_SCOPE_HOST).u8(RTN_LOCAL).u32(0)
                .attribute(RTA_OIF, LOOPBACK_INDEX));
    }

    private static int family(byte[] address) {
        return address.length == 4 ? NativeLinux.AF_INET : NativeLinux.AF_INET6;
    }

    private static NetlinkMessage link(int type, int flags, int index, int up) {
        return header(new NetlinkMessage(type, flags), index, up, up);
    }

    private static NetlinkMessage header(NetlinkMessage message, int index, int flags) {
        return header(message, index, flags, flags);
    }

    /// struct ifinfomsg
    private static NetlinkMessage header(NetlinkMessage message, int index, int flags, int changed) {
        return message.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(changed);
    }
}
