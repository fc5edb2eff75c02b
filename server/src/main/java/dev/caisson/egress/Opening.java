package dev.caisson.egress;

import java.nio.ByteBuffer;

/// The first bytes of a connection, as far as they tell which protocol it speaks.
sealed interface Opening {
    /// It can still become any of them.
    record NeedMore() implements Opening {}

    /// A TLS record of the handshake; [ClientHello] reads on.
    record Tls() implements Opening {}

    /// A request of HTTP/1: a method and a space.
    record Http() implements Opening {}

    /// None that can be judged by what it says.
    record Neither(String reason) implements Opening {}

    /// With so many bytes the answer is never [NeedMore].
    int MAX_BYTES = 33;
    /// The longest method that is registered has 17 (RFC 3253 and others; registry of 2025).
    int MAX_METHOD = MAX_BYTES - 1;

    /// Reads what has come so far; the buffer's position stays. Threads: safe for many.
    static Opening read(ByteBuffer soFar) {
        var bytes = soFar.slice();
        if (!bytes.hasRemaining()) {
            return new NeedMore();
        }
        if (bytes.get(0) == 0x16) {
            return tls(bytes);
        }
        if (bytes.get(0) < 0) {
            boolean old = bytes.remaining() > 2 && bytes.get(2) == 1;
            return new Neither(old ? "a hello of SSL 2" : "neither TLS nor HTTP: the first byte is 0x" + Integer.toHexString(Byte.toUnsignedInt(bytes.get(0))));
        }
        return http(bytes);
    }

    private static Opening tls(ByteBuffer bytes) {
        if (bytes.remaining() == 1) {
            return new NeedMore();
        }
        return bytes.get(1) == 3 ? new Tls() : new Neither("neither TLS nor HTTP: it begins like TLS, with a version that does not exist");
    }

    private static Opening http(ByteBuffer bytes) {
        for (int i = 0; i < Math.min(bytes.remaining(), MAX_BYTES); i++) {
            byte here = bytes.get(i);
            if (here == ' ' && i > 0) {
                boolean preface = i == 3 && bytes.get(0) == 'P' && bytes.get(1) == 'R' && bytes.get(2) == 'I';
                return preface ? new Neither("HTTP/2 without TLS, which is not looked into: speak HTTP/1.1, or TLS") : new Http();
            }
            if (!(here >= 'A' && here <= 'Z' || (here == '-' || here == '_') && i > 0)) {
                return new Neither(i >= 4 && bytes.get(0) == 'S' && bytes.get(1) == 'S' && bytes.get(2) == 'H' && bytes.get(3) == '-'
                        ? "SSH, which is let through by rules for tcp only"
                        : "neither TLS nor HTTP");
            }
        }
        return bytes.remaining() < MAX_BYTES ? new NeedMore() : new Neither("neither TLS nor HTTP: no method has more than " + MAX_METHOD + " letters");
    }
}
