package dev.caisson.egress;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Type;

/// Writes what a sandbox is told. Answers to the same question with the same code are alike but for the id.
final class NameReply {
    /// Of every address that is told; it stays the name's for as long as the sandbox lives.
    static final int TTL_SECONDS = 30;
    /// The largest datagram that we say we take.
    static final int EDNS_SIZE = 1232;
    /// Header, question, one address, one OPT: no answer is longer.
    static final int MAX_BYTES = NameQuery.HEADER + NameQuery.MAX_NAME + 4 + 28 + 11;
    private static final int RA = 0x0080;
    /// Points to the question's name.
    private static final short NAME_ABOVE = (short) (0xc000 | NameQuery.HEADER);

    private NameReply() {}

    static byte[] refused(NameQuery.Refused refused) {
        return ByteBuffer.allocate(NameQuery.HEADER).putShort((short) refused.id()).putShort((short) (NameQuery.QR | refused.opcode() << 11 | RA | refused.rcode())).array();
    }

    /// With no records: that there are none, or why not.
    static byte[] empty(NameQuery.Question to, int rcode) {
        return written(begun(to, rcode, 0), to);
    }

    static byte[] address(NameQuery.Question to, InetAddress address) {
        byte[] bytes = address.getAddress();
        var reply = begun(to, 0, 1);
        reply.putShort(NAME_ABOVE).putShort((short) to.type()).putShort((short) DClass.IN).putInt(TTL_SECONDS).putShort((short) bytes.length).put(bytes);
        return written(reply, to);
    }

    private static ByteBuffer begun(NameQuery.Question to, int rcode, int answers) {
        int flags = NameQuery.QR | (to.recursion() ? NameQuery.RD : 0) | RA | rcode;
        return ByteBuffer.allocate(MAX_BYTES).putShort((short) to.id()).putShort((short) flags).putShort((short) 1).putShort((short) answers).putShort((short) 0)
                .putShort((short) (to.extended() ? 1 : 0)).put(to.question());
    }

    private static byte[] written(ByteBuffer reply, NameQuery.Question to) {
        if (to.extended()) {
            reply.put((byte) 0).putShort((short) Type.OPT).putShort((short) EDNS_SIZE).putInt(0).putShort((short) 0);
        }
        return Arrays.copyOf(reply.array(), reply.position());
    }
}
