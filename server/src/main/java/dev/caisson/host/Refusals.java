package dev.caisson.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;

/// The counters of nftables' set `refused` (gateway.nft): how many packets of each link were refused.
final class Refusals {
    private static final int NFTABLES = 10;
    private static final int BATCH_BEGIN = 16;
    private static final int BATCH_END = 17;
    private static final int GET_ELEMENT = NFTABLES << 8 | 13;
    private static final int DELETE_ELEMENT = NFTABLES << 8 | 14;
    private static final int NFPROTO_INET = 1;
    private static final int TABLE = 1;
    private static final int SET = 2;
    private static final int ELEMENTS = 3;
    private static final int ELEMENT = 1;
    private static final int KEY = 1;
    private static final int DATA_VALUE = 1;
    private static final int EXPRESSION = 7;
    private static final int EXPRESSION_DATA = 2;
    private static final int COUNTER_PACKETS = 2;
    private static final int IFNAME_BYTES = 16;
    private static final int FAMILY_BYTES = 4;

    private Refusals() {}

    /// Unit: packets. 0 when none was refused.
    static long of(Netlink filter, String link) throws IOException {
        var message = about(link, header(new NetlinkMessage(GET_ELEMENT, 0), 0));
        try {
            byte[] reply = filter.get("refusals of " + link, message).orElse(new byte[0]);
            return packets(reply);
        } catch (NativeException e) {
            if (e.errno() == Errno.ENOENT) {
                return 0;
            }
            throw e;
        }
    }

    static void forget(Netlink filter, String link) throws IOException {
        try {
            filter.ask("refusals of " + link,
                    header(NetlinkMessage.silent(BATCH_BEGIN), NFTABLES),
                    about(link, header(new NetlinkMessage(DELETE_ELEMENT, 0), 0)),
                    header(NetlinkMessage.silent(BATCH_END), NFTABLES));
        } catch (NativeException e) {
            if (e.errno() != Errno.ENOENT) {
                throw e;
            }
        }
    }

    /// struct nfgenmsg; the last part is in network order.
    private static NetlinkMessage header(NetlinkMessage message, int resource) {
        return message.u8(resource == 0 ? NFPROTO_INET : 0).u8(0).u8(resource >> 8).u8(resource);
    }

    private static NetlinkMessage about(String link, NetlinkMessage message) {
        byte[] name = Arrays.copyOf(link.getBytes(StandardCharsets.US_ASCII), IFNAME_BYTES);
        return message.attribute(TABLE, "caisson").attribute(SET, "refused")
                .nested(ELEMENTS, elements -> elements.nested(ELEMENT, element -> element.nested(KEY, key -> key.attribute(DATA_VALUE, name))));
    }

    private static long packets(byte[] reply) {
        return attribute(reply, FAMILY_BYTES, ELEMENTS)
                .flatMap(elements -> attribute(elements, 0, ELEMENT))
                .flatMap(element -> attribute(element, 0, EXPRESSION))
                .flatMap(expression -> attribute(expression, 0, EXPRESSION_DATA))
                .flatMap(data -> attribute(data, 0, COUNTER_PACKETS))
                .map(count -> ByteBuffer.wrap(count).getLong())
                .orElse(0L);
    }

    /// The value of the first attribute of that type.
    static Optional<byte[]> attribute(byte[] bytes, int from, int type) {
        var read = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        for (int at = from; at + 4 <= bytes.length;) {
            int length = Short.toUnsignedInt(read.getShort(at));
            if (length < 4 || at + length > bytes.length) {
                return Optional.empty();
            }
            // The two upper bits say how the value is written.
            if ((read.getShort(at + 2) & 0x3fff) == type) {
                return Optional.of(Arrays.copyOfRange(bytes, at + 4, at + length));
            }
            at += length + 3 & ~3;
        }
        return Optional.empty();
    }
}
