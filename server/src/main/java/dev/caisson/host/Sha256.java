package dev.caisson.host;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/// SHA-256 over memory, by OpenSSL's library where it is there: without the JVM's second compiler the JDK's own takes 13 times as long (60 against 800 MB/s), and a guest's
/// memory is large.
///
/// Threads: one at a time. Cleanup: [#finish], once.
public final class Sha256 {
    private static final int BYTES = 32;
    private static final int CHUNK = 1 << 20;

    private final @Nullable MemorySegment context;
    private final @Nullable MessageDigest own;

    /// Of a short text in UTF-8, in 64 hex digits.
    public static String of(String text) {
        return HexFormat.of().formatHex(jdk().digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static MessageDigest jdk() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /// Of a file, in 64 hex digits.
    public static String of(Path file) throws IOException {
        var sha = new Sha256();
        try (var in = FileChannel.open(file, StandardOpenOption.READ);
                var arena = Arena.ofConfined()) {
            var chunk = arena.allocate(CHUNK);
            var buffer = chunk.asByteBuffer();
            while (in.read(buffer.clear()) >= 0) {
                sha.add(chunk.asSlice(0, buffer.position()));
            }
        }
        return HexFormat.of().formatHex(sha.finish());
    }

    Sha256() {
        context = OpenSsl.FOUND == null ? null : OpenSsl.FOUND.begin();
        own = OpenSsl.FOUND == null ? jdk() : null;
    }

    /// @param bytes native memory
    void add(MemorySegment bytes) {
        if (own != null) {
            own.update(bytes.asByteBuffer());
        } else if (OpenSsl.FOUND != null && context != null) {
            OpenSsl.FOUND.add(context, bytes);
        }
    }

    byte[] finish() {
        if (own != null) {
            return own.digest();
        }
        if (OpenSsl.FOUND == null || context == null) {
            throw new IllegalStateException("one of the two is there");
        }
        return OpenSsl.FOUND.finish(context);
    }

    /// libcrypto's EVP_Digest functions, the same since OpenSSL 1.1.
    private record OpenSsl(MethodHandle newContext, MethodHandle freeContext, MethodHandle sha256, MethodHandle init, MethodHandle update, MethodHandle end) {
        /// Looked for when something large is to be hashed; that takes a moment.
        static final @Nullable OpenSsl FOUND = find();

        private static @Nullable OpenSsl find() {
            for (String library : new String[] {"libcrypto.so.3", "libcrypto.so.1.1"}) {
                try {
                    var symbols = SymbolLookup.libraryLookup(library, Arena.global());
                    return new OpenSsl(
                            handle(symbols, "EVP_MD_CTX_new", FunctionDescriptor.of(ADDRESS)),
                            handle(symbols, "EVP_MD_CTX_free", FunctionDescriptor.ofVoid(ADDRESS)),
                            handle(symbols, "EVP_sha256", FunctionDescriptor.of(ADDRESS)),
                            handle(symbols, "EVP_DigestInit_ex", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS)),
                            handle(symbols, "EVP_DigestUpdate", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG)),
                            handle(symbols, "EVP_DigestFinal_ex", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS)));
                } catch (IllegalArgumentException _) {
                    // Not on this machine.
                }
            }
            return null;
        }

        private static MethodHandle handle(SymbolLookup symbols, String name, FunctionDescriptor type) {
            return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), type);
        }

        MemorySegment begin() {
            try {
                var context = (MemorySegment) newContext.invokeExact();
                require((int) init.invokeExact(context, (MemorySegment) sha256.invokeExact(), MemorySegment.NULL));
                return context;
            } catch (Throwable t) {
                throw failed(t);
            }
        }

        void add(MemorySegment context, MemorySegment bytes) {
            try {
                require((int) update.invokeExact(context, bytes, bytes.byteSize()));
            } catch (Throwable t) {
                throw failed(t);
            }
        }

        byte[] finish(MemorySegment context) {
            try (var arena = Arena.ofConfined()) {
                var digest = arena.allocate(BYTES);
                require((int) end.invokeExact(context, digest, MemorySegment.NULL));
                freeContext.invokeExact(context);
                return digest.toArray(JAVA_BYTE);
            } catch (Throwable t) {
                throw failed(t);
            }
        }

        private static void require(int result) {
            if (result != 1) {
                throw new IllegalStateException("libcrypto refused");
            }
        }

        private static RuntimeException failed(Throwable t) {
            return t instanceof RuntimeException known ? known : new IllegalStateException("libcrypto", t);
        }
    }
}
