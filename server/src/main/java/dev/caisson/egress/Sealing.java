package dev.caisson.egress;

import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Collection;
import java.util.stream.Collectors;
import javax.crypto.Cipher;
import javax.crypto.KDF;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.HKDFParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/// How a value is sealed: for an X25519 key by DHKEM (RFC 9180), HKDF-SHA256 and AES-256-GCM.
///
/// Sealed form, in Base64: [#VERSION] (1 byte), the encapsulated key ([#ENCAPSULATION] bytes), ciphertext and tag. Each key is used once, so its nonce comes with it.
final class Sealing {
    static final byte VERSION = 1;
    static final int ENCAPSULATION = 32;
    private static final int KEY = 32;
    private static final int NONCE = 12;
    private static final int TAG_BITS = 128;

    private Sealing() {}

    /// What a sealed value is tied to: whoever changes one of these cannot have it opened.
    static byte[] bound(String name, Collection<HostPattern> hosts, Collection<SecretBinding.Place> places) {
        String sortedHosts = hosts.stream().map(HostPattern::toString).distinct().sorted().collect(Collectors.joining(","));
        String sortedPlaces = places.stream().map(SecretBinding.Place::name).distinct().sorted().collect(Collectors.joining(","));
        return ("caisson secret 1\n" + name + "\n" + sortedHosts + "\n" + sortedPlaces).getBytes(StandardCharsets.UTF_8);
    }

    static Cipher cipher(int mode, SecretKey shared, byte[] encapsulation, byte[] bound) throws GeneralSecurityException {
        byte[] derived = KDF.getInstance("HKDF-SHA256").deriveData(
                HKDFParameterSpec.ofExtract().addIKM(shared).addSalt(encapsulation).thenExpand("caisson secret 1".getBytes(StandardCharsets.US_ASCII), KEY + NONCE));
        var cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, new SecretKeySpec(derived, 0, KEY, "AES"), new GCMParameterSpec(TAG_BITS, derived, KEY, NONCE));
        cipher.updateAAD(bound);
        return cipher;
    }
}
