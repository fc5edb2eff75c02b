package dev.caisson.api.e2b;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;

/// The right to read or write one file, made by a client out of the sandbox's token and put into a link.
final class Signature {
    private Signature() {}

    /// The signature of one path, one operation and one user.
    ///
    /// @param path as it stands in the link, before anything is resolved
    /// @param operation `read` or `write`
    /// @param user as it stands in the link; empty when it names none
    /// @param expiration seconds of Unix time, in digits; empty for a link that is good as long as its token
    static String of(String path, String operation, String user, String token, String expiration) {
        String raw = path + ":" + operation + ":" + user + ":" + token + (expiration.isEmpty() ? "" : ":" + expiration);
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(raw.getBytes(StandardCharsets.UTF_8));
            return "v1_" + Base64.getEncoder().withoutPadding().encodeToString(hash);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    static boolean matches(String given, String right) {
        return MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));
    }
}
