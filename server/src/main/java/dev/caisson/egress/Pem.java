package dev.caisson.egress;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/// One thing in PEM (RFC 7468): a label, and bytes in Base64.
record Pem(String label, byte[] bytes) {
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, new byte[] {'\n'});

    String text() {
        return "-----BEGIN " + label + "-----\n" + LINES.encodeToString(bytes) + "\n-----END " + label + "-----\n";
    }

    /// The first thing of that label in a text.
    static byte[] find(String label, String text) throws IOException {
        String begin = "-----BEGIN " + label + "-----";
        int from = text.indexOf(begin);
        int to = text.indexOf("-----END " + label + "-----", Math.max(from, 0));
        if (from < 0 || to < 0) {
            throw new IOException("no " + label + " in it");
        }
        try {
            return Base64.getMimeDecoder().decode(text.substring(from + begin.length(), to).getBytes(StandardCharsets.ISO_8859_1));
        } catch (IllegalArgumentException e) {
            throw new IOException("a broken " + label + " in it", e);
        }
    }
}
