package dev.caisson.egress;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SecretBinding;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.interfaces.XECPrivateKey;
import java.security.spec.NamedParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.XECPublicKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumSet;
import java.util.Set;
import javax.crypto.Cipher;
import javax.crypto.KDF;
import javax.crypto.KEM;
import javax.crypto.KeyAgreement;
import javax.crypto.SecretKey;
import javax.crypto.spec.HKDFParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/// The gateway's one private key. It opens sealed secrets, and the authorities of sandboxes come from it, so a gateway that starts again needs nothing else.
///
/// On disk, in PEM: `seal.key` (PKCS#8, mode 0600, never replaced) and `seal.pub` (mode 0644, written anew whenever it differs).
/// Threads: safe for many.
public final class SealKey {
    public static final String PRIVATE_FILE = "seal.key";
    public static final String PUBLIC_FILE = "seal.pub";
    private static final Set<PosixFilePermission> OWNERS = EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
    private static final BigInteger BASE_POINT = BigInteger.valueOf(9);

    private final PrivateKey key;
    private final PublicKey publicKey;

    private SealKey(PrivateKey key, PublicKey publicKey) {
        this.key = key;
        this.publicKey = publicKey;
    }

    /// The key of that directory, which is made when there is none.
    ///
    /// Errors: [Failure.Code#EGRESS_UNAVAILABLE] when it cannot be read or made, or others may read it.
    public static SealKey openOrMake(Path directory, SecureRandom random) {
        Path file = directory.resolve(PRIVATE_FILE);
        try {
            if (!Files.exists(file)) {
                make(directory, random);
            }
            var opened = read(file);
            Path publicFile = directory.resolve(PUBLIC_FILE);
            String text = new Pem("PUBLIC KEY", opened.publicKey.getEncoded()).text();
            if (!Files.exists(publicFile) || !Files.readString(publicFile, StandardCharsets.ISO_8859_1).equals(text)) {
                Path draft = draft(directory, text);
                Files.setPosixFilePermissions(draft, PosixFilePermissions.fromString("rw-r--r--"));
                Files.move(draft, publicFile, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
            return opened;
        } catch (IOException | GeneralSecurityException e) {
            throw Failure.Code.EGRESS_UNAVAILABLE.with("cannot open the gateway's key " + file + ": " + e.getMessage(),
                    "let the gateway's user own the directory; or remove the file: secrets sealed for it are lost then", e);
        }
    }

    /// A file that is there whole or not at all, and never replaces another: two that start at once have one key.
    private static void make(Path directory, SecureRandom random) throws IOException, GeneralSecurityException {
        var generator = KeyPairGenerator.getInstance("X25519");
        generator.initialize(NamedParameterSpec.X25519, random);
        Path draft = draft(directory, new Pem("PRIVATE KEY", generator.generateKeyPair().getPrivate().getEncoded()).text());
        try {
            Files.createLink(directory.resolve(PRIVATE_FILE), draft);
        } catch (FileAlreadyExistsException _) {
            // Somebody else was faster; theirs it is.
        } finally {
            Files.deleteIfExists(draft);
        }
    }

    private static Path draft(Path directory, String text) throws IOException {
        Path draft = Files.createTempFile(directory, ".seal", "", PosixFilePermissions.asFileAttribute(OWNERS));
        Files.writeString(draft, text);
        return draft;
    }

    private static SealKey read(Path file) throws IOException, GeneralSecurityException {
        if (!OWNERS.containsAll(Files.getPosixFilePermissions(file))) {
            throw new IOException("others than its owner may use it; it must have mode 0600");
        }
        var factory = KeyFactory.getInstance("X25519");
        PrivateKey key = factory.generatePrivate(new PKCS8EncodedKeySpec(Pem.find("PRIVATE KEY", Files.readString(file, StandardCharsets.ISO_8859_1))));
        // The public key is the product with the curve's base point, which is what an agreement with it yields.
        var product = KeyAgreement.getInstance("X25519");
        product.init(key);
        product.doPhase(factory.generatePublic(new XECPublicKeySpec(NamedParameterSpec.X25519, BASE_POINT)), true);
        byte[] little = product.generateSecret();
        for (int i = 0; i < little.length / 2; i++) {
            byte kept = little[i];
            little[i] = little[little.length - 1 - i];
            little[little.length - 1 - i] = kept;
        }
        return new SealKey(key, factory.generatePublic(new XECPublicKeySpec(NamedParameterSpec.X25519, new BigInteger(1, little))));
    }

    /// Seals for this key.
    public SecretSeal seal(SecureRandom random) {
        return new SecretSeal(publicKey, random);
    }

    /// The value of a binding; the caller closes it.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST] when it was sealed for another key, or its name, hosts or places were changed since.
    public SecretValue open(SecretBinding binding) {
        try {
            byte[] sealed = Base64.getDecoder().decode(binding.sealed());
            if (sealed.length <= 1 + Sealing.ENCAPSULATION || sealed[0] != Sealing.VERSION) {
                throw unreadable(binding, null);
            }
            byte[] encapsulation = Arrays.copyOfRange(sealed, 1, 1 + Sealing.ENCAPSULATION);
            SecretKey shared = KEM.getInstance("DHKEM").newDecapsulator(key).decapsulate(encapsulation);
            var cipher = Sealing.cipher(Cipher.DECRYPT_MODE, shared, encapsulation, Sealing.bound(binding.name(), binding.hosts(), binding.places()));
            return SecretValue.taking(cipher.doFinal(sealed, 1 + Sealing.ENCAPSULATION, sealed.length - 1 - Sealing.ENCAPSULATION));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw unreadable(binding, e);
        }
    }

    private static SandboxException unreadable(SecretBinding binding, @Nullable Exception cause) {
        return Failure.Code.BAD_REQUEST.with("the secret " + binding.name() + " cannot be opened: it was sealed for another gateway, or its name, hosts or places were changed since",
                "give its value again", cause);
    }

    /// What keys of sandboxes' authorities are made from ([SandboxAuthority]).
    SecretKey master() {
        byte[] scalar = ((XECPrivateKey) key).getScalar().orElseThrow();
        try {
            var parameters = HKDFParameterSpec.ofExtract().addIKM(scalar).thenExpand("caisson authorities 1".getBytes(StandardCharsets.US_ASCII), 32);
            return new SecretKeySpec(KDF.getInstance("HKDF-SHA256").deriveData(parameters), "Generic");
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK of this release can derive keys", e);
        } finally {
            Arrays.fill(scalar, (byte) 0);
        }
    }

    @Override
    public String toString() {
        return "SealKey[*****]";
    }
}
