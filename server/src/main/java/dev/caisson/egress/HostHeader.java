package dev.caisson.egress;

import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;

/// The host that the beginning of an HTTP request names, read as any reader might: only to refuse by it what is denied, never to allow anything.
final class HostHeader {
    private HostHeader() {}

    /// In its one spelling; empty when the bytes have none.
    static Optional<String> in(ByteBuffer first) {
        for (String line : StandardCharsets.ISO_8859_1.decode(first.duplicate()).toString().split("\r?\n")) {
            int colon = line.indexOf(':');
            if (colon > 0 && line.substring(0, colon).strip().toLowerCase(Locale.ROOT).equals("host")) {
                String value = line.substring(colon + 1).strip();
                int port = value.lastIndexOf(':');
                try {
                    return Optional.of(HostPattern.normal(port > 0 ? value.substring(0, port) : value));
                } catch (SandboxException _) {
                    return Optional.empty();
                }
            }
        }
        return Optional.empty();
    }
}
