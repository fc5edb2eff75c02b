package dev.caisson.sandbox;

import java.util.Locale;

/// How something outside is spoken to.
public enum EgressProtocol {
    /// TLS whose server name is the host that was looked up.
    TLS,
    /// HTTP/1.1 without TLS whose Host is the host that was looked up.
    HTTP,
    /// Anything: bytes go through unseen.
    TCP;

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    public static EgressProtocol parse(String label) {
        for (EgressProtocol protocol : values()) {
            if (protocol.label().equals(label)) {
                return protocol;
            }
        }
        throw Failure.Code.BAD_REQUEST.with("not a protocol: '" + Failure.shown(label) + "'", "choose tls, http or tcp");
    }
}
