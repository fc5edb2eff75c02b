package dev.caisson.api.e2b;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.eclipse.jetty.http.HttpField;

/// What an upload's `X-Metadata-NAME` headers say of the file.
final class FileMetadata {
    private static final String PREFIX = "x-metadata-";
    private static final int MAX_NAME = 246;
    private static final int MAX_BYTES = 4_096;

    private FileMetadata() {}

    /// Errors: 400 for a name or value that is not printable ASCII, too long, or there twice.
    static Map<String, String> of(Iterable<HttpField> headers) {
        var metadata = new HashMap<String, String>();
        int bytes = 0;
        for (HttpField field : headers) {
            String name = field.getName().toLowerCase(Locale.ROOT);
            if (!name.startsWith(PREFIX)) {
                continue;
            }
            name = name.substring(PREFIX.length());
            String value = field.getValue() == null ? "" : field.getValue();
            if (name.isEmpty() || name.length() > MAX_NAME || !isPrintable(name) || !isPrintable(value)) {
                throw new Refusal(400, "metadata must be printable ASCII, with names of 1 to " + MAX_NAME + " characters");
            }
            if (metadata.put(name, value) != null) {
                throw new Refusal(400, "the metadata '" + name + "' is there twice");
            }
            bytes += name.length() + value.length();
        }
        if (bytes > MAX_BYTES) {
            throw new Refusal(400, "the metadata is longer than " + MAX_BYTES + " bytes");
        }
        return metadata;
    }

    private static boolean isPrintable(String text) {
        return text.chars().allMatch(c -> c >= 0x20 && c <= 0x7E);
    }
}
