package dev.caisson.egress;

import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Reads the body of a whole hello. Used once.
final class HelloBody {
    private static final int SERVER_NAME = 0;
    private static final int HOST_NAME = 0;
    private static final int ALPN = 16;
    /// The encrypted hello, and the numbers that its drafts had.
    private static final Set<Integer> ENCRYPTED = Set.of(0xfe0d, 0xfe0a, 0xfe09, 0xfe08, 0xff03, 0xff02, 0xffce);
    private static final int MAX_SESSION = 32;
    private static final int RANDOM = 32;

    private Optional<String> serverName = Optional.empty();
    private boolean encrypted;
    private List<String> alpn = List.of();

    private HelloBody() {}

    static ClientHello read(ByteBuffer body) {
        var read = new HelloBody();
        try {
            read.all(body);
        } catch (Odd odd) {
            return new ClientHello.Malformed(odd.reason);
        }
        return new ClientHello.Hello(read.serverName, read.encrypted, read.alpn);
    }

    private void all(ByteBuffer body) throws Odd {
        refuse(body.remaining() < 2 + RANDOM, "the hello ends early");
        refuse(body.get() != 3, "the hello has a version that does not exist");
        body.position(2 + RANDOM);
        refuse(vector(body, 1, "session").remaining() > MAX_SESSION, "the hello's session is too long");
        int ciphers = vector(body, 2, "list of ciphers").remaining();
        refuse(ciphers == 0 || ciphers % 2 != 0, "the hello's list of ciphers has " + ciphers + " bytes");
        refuse(!vector(body, 1, "list of compressions").hasRemaining(), "the hello's list of compressions is empty");
        if (!body.hasRemaining()) {
            return;
        }
        var extensions = vector(body, 2, "list of extensions");
        end(body, "hello");
        var seen = new HashSet<Integer>();
        while (extensions.hasRemaining()) {
            refuse(extensions.remaining() < 2, "an extension of the hello ends early");
            int type = Short.toUnsignedInt(extensions.getShort());
            refuse(!seen.add(type), "the hello has extension " + type + " twice");
            extension(type, vector(extensions, 2, "extension"));
        }
    }

    private void extension(int type, ByteBuffer content) throws Odd {
        if (type == SERVER_NAME) {
            serverName = Optional.of(serverName(content));
        } else if (type == ALPN) {
            alpn = protocols(content);
        } else if (ENCRYPTED.contains(type)) {
            encrypted = true;
        }
    }

    private static String serverName(ByteBuffer content) throws Odd {
        var names = vector(content, 2, "list of server names");
        end(content, "list of server names");
        refuse(!names.hasRemaining(), "the hello's list of server names is empty");
        refuse(names.get() != HOST_NAME, "the hello's server name is not a host's name");
        var name = vector(names, 2, "server name");
        refuse(names.hasRemaining(), "the hello has more than one server name");
        String text = latin(name);
        refuse(!text.chars().allMatch(c -> c > ' ' && c < 0x7f), "the hello's server name has bytes that no host's name has");
        try {
            return HostPattern.normal(text);
        } catch (SandboxException _) {
            throw new Odd("the hello's server name is not a host's name");
        }
    }

    private static List<String> protocols(ByteBuffer content) throws Odd {
        var names = vector(content, 2, "list of protocols");
        end(content, "list of protocols");
        refuse(!names.hasRemaining(), "the hello's list of protocols is empty");
        var found = new ArrayList<String>();
        while (names.hasRemaining()) {
            var name = vector(names, 1, "protocol");
            refuse(!name.hasRemaining(), "the hello has a protocol without a name");
            found.add(latin(name));
        }
        return found;
    }

    private static String latin(ByteBuffer bytes) {
        return StandardCharsets.ISO_8859_1.decode(bytes).toString();
    }

    /// Takes a length and what it is the length of.
    private static ByteBuffer vector(ByteBuffer from, int lengthBytes, String what) throws Odd {
        refuse(from.remaining() < lengthBytes, "the hello's " + what + " ends early");
        int length = lengthBytes == 1 ? Byte.toUnsignedInt(from.get()) : Short.toUnsignedInt(from.getShort());
        refuse(from.remaining() < length, "the hello's " + what + " is longer than what it is in");
        var vector = from.slice(from.position(), length);
        from.position(from.position() + length);
        return vector;
    }

    private static void end(ByteBuffer rest, String what) throws Odd {
        refuse(rest.hasRemaining(), "there are bytes behind the end of the " + what);
    }

    private static void refuse(boolean odd, String reason) throws Odd {
        if (odd) {
            throw new Odd(reason);
        }
    }

    /// Why it cannot be read. Without a stack trace: whoever sends such hellos should not make us work.
    private static final class Odd extends Exception {
        private final String reason;

        Odd(String reason) {
            super(reason, null, false, false);
            this.reason = reason;
        }
    }
}
