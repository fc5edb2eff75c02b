package dev.caisson.policy;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;

/// The secret text of a key: `e2b_` and 40 lower-case hexadecimal digits (160 random bits), because clients of E2B accept nothing else. Prints as stars.
public record KeyText(String secret) {
    private static final Pattern SHAPE = Pattern.compile("e2b_[0-9a-f]{40}");

    static KeyText random(RandomGenerator random) {
        byte[] bits = new byte[20];
        random.nextBytes(bits);
        return new KeyText("e2b_" + HexFormat.of().formatHex(bits));
    }

    /// Whether it could be a key at all; anything else need not be looked up.
    public boolean isWellFormed() {
        return SHAPE.matcher(secret).matches();
    }

    /// What is stored instead of it. A fast hash is enough: 160 random bits cannot be guessed through it.
    byte[] sha256() {
        try {
            return MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.US_ASCII));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    @Override
    public String toString() {
        return "e2b_****";
    }
}
