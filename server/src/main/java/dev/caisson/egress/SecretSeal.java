package dev.caisson.egress;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import javax.crypto.Cipher;
import javax.crypto.KEM;

/// Seals values of secrets for the gateway, which alone can open them ([SealKey#open]).
///
/// Threads: safe for many.
public final class SecretSeal {
    private static final int MAX_FILE = 4096;
    private static final int PLACEHOLDER_BYTES = 24;

    private final PublicKey gateway;
    private final SecureRandom random;

    SecretSeal(PublicKey gateway, SecureRandom random) {
        this.gateway = gateway;
        this.random = random;
    }

    /// For the gateway whose public key is in that file.
    ///
    /// Errors: [Failure.Code#EGRESS_UNAVAILABLE] when there is none, or not a key.
    public static SecretSeal of(Path publicKey, SecureRandom random) {
        try {
            if (Files.size(publicKey) > MAX_FILE) {
                throw new IOException("it is larger than " + MAX_FILE + " bytes");
            }
            return new SecretSeal(KeyFactory.getInstance("X25519").generatePublic(new X509EncodedKeySpec(Pem.find("PUBLIC KEY", Files.readString(publicKey)))), random);
        } catch (NoSuchFileException e) {
            throw Failure.Code.EGRESS_UNAVAILABLE.with("there is no key to seal secrets with: " + publicKey, "start the egress gateway once; it makes the key", e);
        } catch (IOException | GeneralSecurityException e) {
            throw Failure.Code.EGRESS_UNAVAILABLE.with("cannot read the key to seal secrets with, " + publicKey + ": " + e.getMessage(),
                    "start the egress gateway again; it writes the file anew", e);
        }
    }

    /// A binding with a placeholder of its own. The value is closed.
    ///
    /// @param places empty means headers
    public SecretBinding bind(String name, List<HostPattern> hosts, Set<SecretBinding.Place> places, SecretValue value) {
        byte[] id = new byte[PLACEHOLDER_BYTES];
        random.nextBytes(id);
        // The constructor brings the parts to their one form and checks them, before anything is sealed for them.
        var unsealed = new SecretBinding(name, "csn-" + Base64.getUrlEncoder().withoutPadding().encodeToString(id), hosts, places, "AA==");
        return new SecretBinding(name, unsealed.placeholder(), unsealed.hosts(), unsealed.places(), seal(unsealed, value));
    }

    private String seal(SecretBinding binding, SecretValue value) {
        try (value) {
            KEM.Encapsulated once = KEM.getInstance("DHKEM").newEncapsulator(gateway, random).encapsulate();
            var cipher = Sealing.cipher(Cipher.ENCRYPT_MODE, once.key(), once.encapsulation(), Sealing.bound(binding.name(), binding.hosts(), binding.places()));
            byte[] closed = cipher.doFinal(value.bytes());
            return Base64.getEncoder().encodeToString(ByteBuffer.allocate(1 + Sealing.ENCAPSULATION + closed.length).put(Sealing.VERSION).put(once.encapsulation()).put(closed).array());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK of this release can seal", e);
        }
    }
}
