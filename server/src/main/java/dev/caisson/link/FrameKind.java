package dev.caisson.link;

import java.util.Optional;

/// Kinds of frames; the code is the byte on the wire.
enum FrameKind {
    OPEN(1),
    DATA(2),
    CREDIT(3),
    END(4),
    RESET(5),
    CLOSE(6),
    PING(7),
    PONG(8);

    private static final FrameKind[] BY_CODE = new FrameKind[9];

    static {
        for (FrameKind kind : values()) {
            BY_CODE[kind.code] = kind;
        }
    }

    private final byte code;

    FrameKind(int code) {
        this.code = (byte) code;
    }

    byte code() {
        return code;
    }

    static Optional<FrameKind> of(byte code) {
        return code > 0 && code < BY_CODE.length ? Optional.of(BY_CODE[code]) : Optional.empty();
    }
}
