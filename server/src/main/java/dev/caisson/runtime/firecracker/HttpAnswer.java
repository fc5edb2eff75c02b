package dev.caisson.runtime.firecracker;

import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/// An HTTP/1.1 answer as Firecracker gives it: a status, headers, and a body of the length that they say.
record HttpAnswer(int status, byte[] body) {
    /// Head and body together.
    static final int MAX_BYTES = 64 * 1024;
    private static final int MAX_HEAD_BYTES = 4096;
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.1 ([1-5][0-9]{2}) [ -~]*");
    private static final Pattern LENGTH = Pattern.compile("[0-9]{1,5}");

    boolean isGood() {
        return status == 200 || status == 204;
    }

    /// The answer in the first `count` bytes, which are all that has come; empty when it is not there in full.
    ///
    /// Errors: an [IOException] when it never will be one.
    static Optional<HttpAnswer> of(byte[] bytes, int count) throws IOException {
        var text = new String(bytes, 0, Math.min(count, MAX_HEAD_BYTES), StandardCharsets.ISO_8859_1);
        int end = text.indexOf("\r\n\r\n");
        if (end < 0) {
            if (count >= MAX_HEAD_BYTES) {
                throw odd("a head without an end");
            }
            return Optional.empty();
        }
        var lines = text.substring(0, end).split("\r\n", -1);
        var status = STATUS.matcher(lines[0]);
        if (!status.matches()) {
            throw odd("'" + Failure.shown(lines[0]) + "'");
        }
        int start = end + 4;
        int length = length(lines);
        if (count > start + length) {
            throw odd("more than it announced");
        }
        return count < start + length ? Optional.empty() : Optional.of(new HttpAnswer(Integer.parseInt(status.group(1)), Arrays.copyOfRange(bytes, start, start + length)));
    }

    private static int length(String[] lines) throws IOException {
        int length = -1;
        for (int i = 1; i < lines.length; i++) {
            int colon = lines[i].indexOf(':');
            var name = colon < 0 ? "" : lines[i].substring(0, colon).toLowerCase(Locale.ROOT);
            var value = lines[i].substring(colon + 1).strip();
            switch (name) {
                case "" -> throw odd("a header without a name");
                case "transfer-encoding" -> throw odd("a body without a length");
                case "content-length" -> {
                    if (length >= 0 || !LENGTH.matcher(value).matches() || Integer.parseInt(value) > MAX_BYTES - MAX_HEAD_BYTES) {
                        throw odd("a body of length '" + Failure.shown(value) + "'");
                    }
                    length = Integer.parseInt(value);
                }
                default -> {
                    // Nothing else of it is of use.
                }
            }
        }
        return Math.max(length, 0);
    }

    private static IOException odd(String what) {
        return new IOException("Firecracker's API answers with " + what);
    }
}
