package dev.caisson.image;

import dev.caisson.host.Child;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// SHA-256, written as `sha256:` and 64 hex digits.
final class Digest {
    static final String PREFIX = "sha256:";
    private static final Pattern SHAPE = Pattern.compile(PREFIX + "[0-9a-f]{64}");
    private static final Duration TIME_LIMIT = Duration.ofMinutes(5);

    private static final Path OPENSSL = Path.of("/usr/bin/openssl");

    private Digest() {}

    static boolean is(String text) {
        return SHAPE.matcher(text).matches();
    }

    static String hex(String digest) {
        return digest.substring(PREFIX.length());
    }

    /// Over several texts; each is preceded by its length, so that moving a byte from one to the next changes the digest.
    static String of(String... texts) {
        var sha256 = sha256();
        for (var text : texts) {
            var bytes = text.getBytes(StandardCharsets.UTF_8);
            sha256.update(ByteBuffer.allocate(Long.BYTES).putLong(bytes.length).flip());
            sha256.update(bytes);
        }
        return PREFIX + HexFormat.of().formatHex(sha256.digest());
    }

    /// Of a file, by a child program: without the JVM's second compiler the JDK's own takes 20 times as long as OpenSSL's, which uses the CPU's SHA
    /// instructions. sha256sum(1), which every Debian has, is five times as slow.
    static String of(Path file) throws IOException, InterruptedException {
        var output = Files.createTempFile("caisson-digest", null);
        try {
            var program = Files.isExecutable(OPENSSL) ? List.of(OPENSSL.toString(), "dgst", "-sha256", "-r") : List.of("sha256sum", "--binary");
            Child.of(output, Stream.concat(program.stream(), Stream.of(file.toString())).toArray(String[]::new)).mustRun(TIME_LIMIT);
            var digest = PREFIX + Files.readString(output).split(" ", 2)[0];
            if (!is(digest)) {
                throw new IOException(program.getFirst() + " gave no digest of " + file);
            }
            return digest;
        } finally {
            Files.delete(output);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
