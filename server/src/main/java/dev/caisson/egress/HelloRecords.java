package dev.caisson.egress;

import java.nio.ByteBuffer;
import java.util.Optional;

/// Puts a hello together from the TLS records that it is spread over.
final class HelloRecords {
    private static final int HANDSHAKE = 22;
    private static final int CLIENT_HELLO = 1;
    private static final int MAX_FRAGMENT = 1 << 14;
    private static final int MESSAGE_HEADER = 4;

    private final ByteBuffer wire;
    private final ByteBuffer message;

    /// @param wire at its begin; nothing else holds its position
    HelloRecords(ByteBuffer wire) {
        this.wire = wire;
        this.message = ByteBuffer.allocate(Math.min(wire.remaining(), ClientHello.MAX_MESSAGE));
    }

    ClientHello read() {
        for (int records = 0; wire.hasRemaining(); records++) {
            if (records == ClientHello.MAX_RECORDS) {
                return new ClientHello.Malformed("the hello is spread over more than " + ClientHello.MAX_RECORDS + " records");
            }
            var odd = oddHeader();
            if (odd.isPresent()) {
                return new ClientHello.Malformed(odd.get());
            }
            if (wire.remaining() < ClientHello.RECORD_HEADER) {
                break;
            }
            int length = Short.toUnsignedInt(wire.getShort(wire.position() + 3));
            wire.position(wire.position() + ClientHello.RECORD_HEADER);
            int before = message.position();
            int here = Math.min(length, wire.remaining());
            // What does not fit is of a message that is too long, which is said below.
            message.put(wire.slice(wire.position(), Math.min(here, message.remaining())));
            wire.position(wire.position() + here);
            odd = oddMessage(before + length);
            if (odd.isPresent()) {
                return new ClientHello.Malformed(odd.get());
            }
            if (message.position() >= MESSAGE_HEADER && message.position() == messageLength()) {
                return complete();
            }
        }
        return new ClientHello.NeedMore();
    }

    /// Judges as much of the next record's header as is there.
    private Optional<String> oddHeader() {
        int at = wire.position();
        int there = wire.remaining();
        if (wire.get(at) != HANDSHAKE) {
            return Optional.of("a record of the hello is not of the handshake");
        }
        if (there > 1 && wire.get(at + 1) != 3 || there > 2 && (wire.get(at + 2) < 0 || wire.get(at + 2) > 4)) {
            return Optional.of("a record of the hello has a version that does not exist");
        }
        if (there >= ClientHello.RECORD_HEADER) {
            int length = Short.toUnsignedInt(wire.getShort(at + 3));
            if (length == 0 || length > MAX_FRAGMENT) {
                return Optional.of("a record of the hello has " + length + " bytes");
            }
        }
        return Optional.empty();
    }

    /// Judges as much of the message as is there.
    ///
    /// @param promised bytes of the message, with all of the record that is being read
    private Optional<String> oddMessage(int promised) {
        if (message.position() > 0 && message.get(0) != CLIENT_HELLO) {
            return Optional.of("the handshake does not begin with a client's hello");
        }
        if (message.position() < MESSAGE_HEADER) {
            return Optional.empty();
        }
        int length = messageLength();
        if (length > ClientHello.MAX_MESSAGE) {
            return Optional.of("the hello has more than " + ClientHello.MAX_MESSAGE + " bytes");
        }
        return promised > length ? Optional.of("there is more in the hello's last record than the hello") : Optional.empty();
    }

    private int messageLength() {
        return MESSAGE_HEADER + (message.getInt(0) & 0xffffff);
    }

    private ClientHello complete() {
        // A client may send early data at once, or give up; another handshake message would be a second hello.
        if (wire.hasRemaining() && (wire.get() < 20 || wire.get(wire.position() - 1) > 23 || wire.get(wire.position() - 1) == HANDSHAKE)) {
            return new ClientHello.Malformed("what follows the hello is no record that may follow it");
        }
        return HelloBody.read(message.flip().position(MESSAGE_HEADER).slice());
    }
}
