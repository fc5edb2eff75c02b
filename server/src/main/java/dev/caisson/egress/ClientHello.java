package dev.caisson.egress;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/// What a client says first in TLS, as far as its bytes have come.
///
/// The hello is read as its receiver will read it, and refused wherever two readers could differ: two names, extensions given twice, lengths that do not
/// add up, bytes behind the end.
/// Source: RFC 8446 sections 4.1.2, 4.2 and 5.1; RFC 6066 section 3 (server name); RFC 7301 (ALPN); RFC 9849 (encrypted hello).
sealed interface ClientHello {
    /// It is not all there.
    record NeedMore() implements ClientHello {}

    /// @param serverName in its one spelling; empty when it says none
    /// @param encrypted it carries, or pretends to carry, another hello that cannot be read here
    /// @param alpn the protocols it offers, most wanted first, each byte a character
    record Hello(Optional<String> serverName, boolean encrypted, List<String> alpn) implements ClientHello {
        public Hello {
            alpn = List.copyOf(alpn);
        }
    }

    /// It will never be one that is understood.
    record Malformed(String reason) implements ClientHello {}

    /// Of the handshake message, its own header of 4 bytes included. Those of today's clients have 200 to 2,000.
    int MAX_MESSAGE = 16 * 1024;
    /// Over which one message may be spread.
    int MAX_RECORDS = 16;
    int RECORD_HEADER = 5;
    /// With so many bytes the answer is never [NeedMore].
    int MAX_BYTES = MAX_MESSAGE + MAX_RECORDS * RECORD_HEADER;

    /// Reads what has come so far; the buffer's position stays. Threads: safe for many.
    static ClientHello read(ByteBuffer soFar) {
        return new HelloRecords(soFar.slice()).read();
    }
}
