package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.Locale;
import java.util.random.RandomGenerator;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// The secrets that open one sandbox for one purpose, without anything to remember: HMAC-SHA256 of purpose and id under a secret of the installation.
///
/// Losing the secret's file makes every token given out void, and nothing else.
/// Threads: safe for many.
public final class SandboxTokens {
    private static final int SECRET_BYTES = 32;
    private final SecretKeySpec secret;

    /// What a token opens. One for one purpose is worth nothing for another.
    public enum Purpose {
        /// Commands and files of the sandbox.
        CONTROL,
        /// Its ports.
        TRAFFIC
    }

    private SandboxTokens(byte[] secret) {
        this.secret = new SecretKeySpec(secret, "HmacSHA256");
    }

    /// Reads the installation's secret, 32 random bytes for its owner alone, making it when there is none.
    ///
    /// @param random must be fit for secrets
    /// Errors: [Failure.Code#HOST_UNFIT] when the file cannot be read or made, or is not a secret.
    public static SandboxTokens open(Path file, RandomGenerator random) {
        try {
            if (!Files.exists(file)) {
                make(file, random);
            }
            byte[] secret = Files.readAllBytes(file);
            if (secret.length != SECRET_BYTES) {
                throw Failure.Code.HOST_UNFIT.with(file + " is not a secret of " + SECRET_BYTES + " bytes", "move it away; another is made, and tokens given out so far are void");
            }
            return new SandboxTokens(secret);
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("cannot open " + file + ": " + e.getMessage(), "see that its directory is writable for the user that runs the front", e);
        }
    }

    /// Whole or not at all: what is cut off by a crash is not taken for a secret.
    private static void make(Path file, RandomGenerator random) throws IOException {
        byte[] secret = new byte[SECRET_BYTES];
        random.nextBytes(secret);
        Path draft = Files.createTempFile(file.toAbsolutePath().getParent(), "secret", "", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            Files.write(draft, secret);
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileAlreadyExistsException _) {
            // Somebody else made it in this moment; theirs is read.
        } finally {
            Files.deleteIfExists(draft);
        }
    }

    /// The token: 43 characters of `A-Z a-z 0-9 - _`, the same every time.
    public String token(SandboxId sandbox, Purpose purpose) {
        return seal(purpose.name().toLowerCase(Locale.ROOT) + ":" + sandbox.value());
    }

    /// The same of any text of ours; whoever calls this begins it with a word that no purpose has.
    String seal(String what) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(secret);
            return Base64.getUrlEncoder().withoutPadding().encodeToString(mac.doFinal(what.getBytes(StandardCharsets.US_ASCII)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has HmacSHA256", e);
        }
    }

    /// Whether a stranger's text is the token, in a time that does not tell how much of it is right.
    public boolean matches(String given, SandboxId sandbox, Purpose purpose) {
        return MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), token(sandbox, purpose).getBytes(StandardCharsets.US_ASCII));
    }
}
