package dev.caisson.egress;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SecretBinding;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The value of a secret in memory, 1 to [SecretBinding#MAX_VALUE_BYTES] bytes; prints as stars.
///
/// Threads: safe for many, until it is closed.
/// Cleanup: close overwrites the bytes; the value is gone then.
public final class SecretValue implements AutoCloseable {
    private final byte[] bytes;

    private SecretValue(byte[] bytes) {
        this.bytes = bytes;
        if (bytes.length == 0 || bytes.length > SecretBinding.MAX_VALUE_BYTES) {
            throw Failure.Code.OUT_OF_RANGE.with("a secret's value has " + bytes.length + " bytes", "it has 1 to " + SecretBinding.MAX_VALUE_BYTES);
        }
    }

    /// Takes the array over: closing overwrites it.
    public static SecretValue taking(byte[] bytes) {
        return new SecretValue(bytes);
    }

    /// The text in UTF-8; the characters are overwritten.
    public static SecretValue taking(char[] text) {
        ByteBuffer encoded = StandardCharsets.UTF_8.encode(CharBuffer.wrap(text));
        byte[] bytes = new byte[encoded.remaining()];
        encoded.get(bytes);
        Arrays.fill(encoded.array(), (byte) 0);
        Arrays.fill(text, '\0');
        return new SecretValue(bytes);
    }

    /// Not a copy: not to be changed, not to be kept.
    byte[] bytes() {
        return bytes;
    }

    /// True when a header can carry it: no line breaks, no other control characters but tabs.
    boolean fitsHeader() {
        for (byte b : bytes) {
            if ((b & 0xff) < ' ' && b != '\t' || b == 0x7f) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        Arrays.fill(bytes, (byte) 0);
    }

    @Override
    public String toString() {
        return "*****";
    }
}
