package dev.caisson.egress;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Type;

/// A DNS query of a sandbox: one question and nothing else, of the few forms that programs send.
///
/// Source: RFC 1035 section 4, RFC 6891 (EDNS).
sealed interface NameQuery {
    /// @param question as it came, so that the answer has it in the same case
    /// @param name its labels in ASCII with dots between them; a byte that is not of a host's name is shown as `\DDD`
    /// @param extended it speaks EDNS
    record Question(int id, boolean recursion, byte[] question, String name, int type, int dclass, boolean extended) implements NameQuery {}

    /// Is answered with a header alone.
    record Refused(int id, int opcode, int rcode) implements NameQuery {}

    /// Is not answered: it is too short to have an id, or an answer itself.
    record Silence() implements NameQuery {}

    int HEADER = 12;
    int MAX_BYTES = 512;
    int QR = 0x8000;
    int RD = 0x0100;
    int MAX_LABEL = 63;
    /// Of a name, its lengths and the root included.
    int MAX_NAME = 255;

    static NameQuery read(byte[] bytes) {
        if (bytes.length < HEADER) {
            return new Silence();
        }
        var wire = ByteBuffer.wrap(bytes);
        int id = Short.toUnsignedInt(wire.getShort());
        int flags = Short.toUnsignedInt(wire.getShort());
        if ((flags & QR) != 0) {
            return new Silence();
        }
        int opcode = flags >> 11 & 0xf;
        if (opcode != Opcode.QUERY) {
            return new Refused(id, opcode, Rcode.NOTIMP);
        }
        // Authoritative and truncated are said by answers only, as is every code but 0.
        boolean odd = bytes.length > MAX_BYTES || (flags & 0x060f) != 0;
        if (odd || wire.getShort() != 1 || wire.getShort() != 0 || wire.getShort() != 0) {
            return new Refused(id, opcode, Rcode.FORMERR);
        }
        int additional = Short.toUnsignedInt(wire.getShort());
        var name = new StringBuilder();
        if (additional > 1 || !readName(wire, name) || wire.remaining() < 4) {
            return new Refused(id, opcode, Rcode.FORMERR);
        }
        int type = Short.toUnsignedInt(wire.getShort());
        int dclass = Short.toUnsignedInt(wire.getShort());
        byte[] question = Arrays.copyOfRange(bytes, HEADER, wire.position());
        if (additional == 1 && !readExtension(wire) || wire.hasRemaining()) {
            return new Refused(id, opcode, Rcode.FORMERR);
        }
        return new Question(id, (flags & RD) != 0, question, name.toString(), type, dclass, additional == 1);
    }

    /// False when it does not end, or has a pointer: there is nothing before it that it could point to.
    private static boolean readName(ByteBuffer wire, StringBuilder name) {
        int begin = wire.position();
        while (wire.hasRemaining()) {
            int length = Byte.toUnsignedInt(wire.get());
            if (length == 0) {
                return wire.position() - begin <= MAX_NAME;
            }
            if (length > MAX_LABEL || length > wire.remaining()) {
                return false;
            }
            if (!name.isEmpty()) {
                name.append('.');
            }
            for (int i = 0; i < length; i++) {
                append(name, Byte.toUnsignedInt(wire.get()));
            }
        }
        return false;
    }

    private static void append(StringBuilder name, int value) {
        if (value >= 'a' && value <= 'z' || value >= 'A' && value <= 'Z' || value >= '0' && value <= '9' || value == '-' || value == '_') {
            name.append((char) value);
        } else {
            // A dot within a label among them: it must not look like one between labels.
            name.append('\\').append((char) ('0' + value / 100)).append((char) ('0' + value / 10 % 10)).append((char) ('0' + value % 10));
        }
    }

    /// One OPT record of version 0, its options well-formed and never looked at.
    private static boolean readExtension(ByteBuffer wire) {
        if (wire.remaining() < 11 || wire.get() != 0 || wire.getShort() != Type.OPT) {
            return false;
        }
        wire.getShort();
        int version = wire.getInt() >> 16 & 0xff;
        int length = Short.toUnsignedInt(wire.getShort());
        if (version != 0 || length != wire.remaining()) {
            return false;
        }
        while (wire.remaining() >= 4) {
            wire.getShort();
            int option = Short.toUnsignedInt(wire.getShort());
            if (option > wire.remaining()) {
                return false;
            }
            wire.position(wire.position() + option);
        }
        return !wire.hasRemaining();
    }
}
