package dev.caisson.sandbox;

import java.util.random.RandomGenerator;
import java.util.regex.Pattern;

/// Names one sandbox, and its receipt once it is gone. Never used twice.
///
/// Shape: `sb` and 18 characters of `a-z2-7` (90 random bits). Fixed length, because gVisor matches ids by prefix, and
/// fit for a host name, because preview URLs carry it.
public record SandboxId(String value) {
    private static final Pattern SHAPE = Pattern.compile("sb[a-z2-7]{18}");
    private static final char[] ALPHABET = "abcdefghijklmnopqrstuvwxyz234567".toCharArray();

    public SandboxId {
        if (!SHAPE.matcher(value).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a sandbox id: '" + Failure.shown(value) + "'", "ids look like sbxxxxxxxxxxxxxxxxxx; list them with `caisson ps`");
        }
    }

    /// A fresh id out of the given source of randomness.
    public static SandboxId random(RandomGenerator random) {
        var text = new StringBuilder("sb");
        for (int i = 0; i < 18; i++) {
            text.append(ALPHABET[random.nextInt(ALPHABET.length)]);
        }
        return new SandboxId(text.toString());
    }

    @Override
    public String toString() {
        return value;
    }
}
