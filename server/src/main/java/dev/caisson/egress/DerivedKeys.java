package dev.caisson.egress;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.MessageDigest;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPrivateKeySpec;
import java.security.spec.ECPublicKeySpec;
import javax.crypto.KDF;
import javax.crypto.SecretKey;
import javax.crypto.spec.HKDFParameterSpec;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.signers.ECDSASigner;
import org.bouncycastle.crypto.signers.HMacDSAKCalculator;
import org.bouncycastle.crypto.signers.StandardDSAEncoding;
import org.bouncycastle.operator.ContentSigner;

/// Keys, numbers and signatures (P-256) that follow from a master key and a subject: asked again, the same ones.
record DerivedKeys(SecretKey master, String subject) {
    private static final X9ECParameters CURVE = CustomNamedCurves.getByName("secp256r1");
    private static final ECDomainParameters DOMAIN = new ECDomainParameters(CURVE);
    /// Longer than the curve's order by 128 bits, so that no remainder is likelier than another.
    private static final int SCALAR_BYTES = 48;
    private static final int NUMBER_BYTES = 16;

    KeyPair pair(String purpose) throws GeneralSecurityException {
        BigInteger scalar = scalar(purpose);
        var point = CURVE.getG().multiply(scalar).normalize();
        var parameters = AlgorithmParameters.getInstance("EC");
        parameters.init(new ECGenParameterSpec("secp256r1"));
        var spec = parameters.getParameterSpec(ECParameterSpec.class);
        var factory = KeyFactory.getInstance("EC");
        var publicPoint = new ECPoint(point.getAffineXCoord().toBigInteger(), point.getAffineYCoord().toBigInteger());
        return new KeyPair(factory.generatePublic(new ECPublicKeySpec(publicPoint, spec)), factory.generatePrivate(new ECPrivateKeySpec(scalar, spec)));
    }

    /// A positive number of at most 16 bytes.
    BigInteger number(String purpose) throws GeneralSecurityException {
        return new BigInteger(1, derived(purpose, NUMBER_BYTES)).clearBit(NUMBER_BYTES * 8 - 1).setBit(0);
    }

    private BigInteger scalar(String purpose) throws GeneralSecurityException {
        return new BigInteger(1, derived("key " + purpose, SCALAR_BYTES)).mod(CURVE.getN().subtract(BigInteger.ONE)).add(BigInteger.ONE);
    }

    private byte[] derived(String purpose, int length) throws GeneralSecurityException {
        byte[] info = (subject + "\n" + purpose).getBytes(StandardCharsets.UTF_8);
        return KDF.getInstance("HKDF-SHA256").deriveData(HKDFParameterSpec.expandOnly(master, info, length));
    }

    /// ECDSA with the nonces of RFC 6979: one content has one signature.
    ContentSigner signer(String purpose) throws GeneralSecurityException {
        var signer = new ECDSASigner(new HMacDSAKCalculator(new SHA256Digest()));
        signer.init(true, new ECPrivateKeyParameters(scalar(purpose), DOMAIN));
        var digest = MessageDigest.getInstance("SHA-256");
        var content = new ByteArrayOutputStream();
        return new ContentSigner() {
            @Override
            public AlgorithmIdentifier getAlgorithmIdentifier() {
                return new AlgorithmIdentifier(X9ObjectIdentifiers.ecdsa_with_SHA256);
            }

            @Override
            public OutputStream getOutputStream() {
                return content;
            }

            @Override
            public byte[] getSignature() {
                BigInteger[] parts = signer.generateSignature(digest.digest(content.toByteArray()));
                try {
                    return StandardDSAEncoding.INSTANCE.encode(CURVE.getN(), parts[0], parts[1]);
                } catch (IOException e) {
                    throw new IllegalStateException("two numbers that cannot be written", e);
                }
            }
        };
    }
}
