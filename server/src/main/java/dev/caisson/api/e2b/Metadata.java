package dev.caisson.api.e2b;

import dev.caisson.policy.Quota;
import java.util.HashMap;
import java.util.Map;

/// A sandbox's metadata as labels of ours and back, exactly: what a caller names as we name labels of our own is kept under another name.
final class Metadata {
    /// Stands before names that callers gave and that are ours to give.
    private static final String ESCAPE = Quota.RESERVED_PREFIX + "metadata.";

    private Metadata() {}

    static Map<String, String> toLabels(Map<String, String> metadata) {
        var labels = new HashMap<String, String>();
        metadata.forEach((name, value) -> labels.put(name.startsWith(Quota.RESERVED_PREFIX) ? ESCAPE + name : name, value));
        return labels;
    }

    static Map<String, String> ofLabels(Map<String, String> labels) {
        var metadata = new HashMap<String, String>();
        labels.forEach((name, value) -> {
            if (name.startsWith(ESCAPE)) {
                metadata.put(name.substring(ESCAPE.length()), value);
            } else if (!name.startsWith(Quota.RESERVED_PREFIX)) {
                metadata.put(name, value);
            }
        });
        return metadata;
    }
}
